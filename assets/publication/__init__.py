"""The last stop: what leaves the warehouse for people to read, without direct identifiers."""
