"""Regimes: one file is one way to tell the states of a market."""
