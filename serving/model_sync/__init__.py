"""Brings published versions from a bucket to the disk of a model server."""
