"""Words that everyone shares: panel, calendar, plug-in, digest, error."""
