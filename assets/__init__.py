"""What exists: one folder a stop on the data's way, each with its Dagster assets and the plain code they need."""
