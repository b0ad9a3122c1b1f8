"""What the data has to be at each stop: the suites, the checks they hold, and running them. Decides nothing."""
