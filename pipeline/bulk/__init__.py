"""Asking a model server about any number of files."""
