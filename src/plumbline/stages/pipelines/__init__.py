"""One file, one pipeline: a recipe becomes a graph of stages."""
