"""What a person can ask, and what the office needs to answer: registers, clocks, reports and letters."""
