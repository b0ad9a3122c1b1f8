"""The tests, in folders that mirror the tree; `conventions/` holds those that look at the source itself."""
