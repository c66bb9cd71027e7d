"""Jobs to copy."""
