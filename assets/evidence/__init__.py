"""The evidence log: what was decided, sealed, approved, delivered, answered, verified and erased, for years to come."""
