"""Trying before deciding: scenarios, dry runs, and another policy over the same data. Nothing of it stays."""
