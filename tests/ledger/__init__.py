"""The ledger: what systems were told, and where each item stands."""
