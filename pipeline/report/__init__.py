"""A run told to people: as a text table, and as a page."""
