"""The ledger: what each system was told, and where each item of a manifest stands. Decides nothing."""
