"""Contracts: what a company declares of its exports, and what is refused of it."""
