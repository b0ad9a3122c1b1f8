"""What a person can ask, and what the office needs to answer: requests, holds, clocks, reports and letters."""
