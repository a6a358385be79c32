"""Older products' Python interfaces over Tidemark: a script runs with its import line changed."""
