"""Checks Kubernetes manifests: schemas, and what they say of each other."""
