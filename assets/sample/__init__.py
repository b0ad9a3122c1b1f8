"""The sample company: invented customers, told in the canonical exports, small for a demo or of any size for a test."""
