"""A second reading of the retention rules in plain Python, to hold the SQL against."""
