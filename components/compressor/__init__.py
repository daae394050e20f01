"""One recipe, one cached node."""
