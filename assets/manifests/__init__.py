"""Deletion manifests: what changed since each system was last told, the gate, the seal, and how others check it."""
