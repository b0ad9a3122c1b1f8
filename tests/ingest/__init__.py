"""Intake: what arrives, what is loaded, what is kept out."""
