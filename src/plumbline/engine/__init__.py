"""The stage engine: keys, plans, a cache that is safe to leave on, executors."""
