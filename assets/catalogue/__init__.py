"""How the tables of every stop are described and reported to Dagster."""
