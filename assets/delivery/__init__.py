"""The life of a manifest after its seal: approved, delivered, answered, and proven by the next export."""
