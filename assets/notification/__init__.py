"""Telling people what needs them: what a notice says, and the ways on which it travels. Nothing here decides."""
