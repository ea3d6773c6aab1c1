"""Sources of bars, one file each."""
