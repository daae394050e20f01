"""Every variant measured beside its parent."""
