"""The contracts: what each export table is to look like, as its company declares it (Open Data Contract Standard)."""
