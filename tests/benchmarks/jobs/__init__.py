"""What is measured: each job runs in a process of its own (`python -m tests.benchmarks.jobs NAME JSON`)."""
