"""The retention report: what a data protection officer reads in ten minutes, built from the published file alone."""
