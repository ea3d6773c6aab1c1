"""Where finance and machinery meet: stages wire pure functions to the engine."""
