"""How tables are described and reported to Dagster, and what the columns of published ones are made of."""
