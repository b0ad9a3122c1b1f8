"""Rehearsal: what is tried over a company before anybody decides it."""
