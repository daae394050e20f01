"""Blessed models published where they are served."""
