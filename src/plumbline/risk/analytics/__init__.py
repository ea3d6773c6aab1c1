"""One file is one analytic."""
