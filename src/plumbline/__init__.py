"""From raw bars to portfolio risk in one reproducible, cached, columnar engine."""
