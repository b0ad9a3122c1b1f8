"""Retention: triggers, purposes, claims and the dispositions they add up to."""
