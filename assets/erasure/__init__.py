"""The product's own copies: what must leave them, on which day, and what they are brought back from."""
