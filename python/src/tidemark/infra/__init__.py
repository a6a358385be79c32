"""Names of modules that files written for Feast import from."""
