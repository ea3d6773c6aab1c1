"""One file, one executor."""
