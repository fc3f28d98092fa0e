"""Model families: one a file, its Config and its model function."""
