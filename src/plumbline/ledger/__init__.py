"""The ledger: what ran, when, on what, with what outcome, and who owns it."""
