"""Kernels beside their peers: one machine, one thread, one run."""
