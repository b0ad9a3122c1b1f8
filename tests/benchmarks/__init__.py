"""What Gallring costs beside other ways to do the job: `python -m tests.benchmarks`, or `make bench`."""
