"""Pages of an evaluation, one file each."""
