"""One file, one command; each is loaded when it is called."""
