"""The `roadworthy` command."""
