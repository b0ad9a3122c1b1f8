"""How sealed manifests reach the systems and their answers come back: one module a way, one Protocol for all."""
