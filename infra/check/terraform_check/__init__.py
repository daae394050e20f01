"""Checks Terraform for real: format, init, validate and test of every root below a folder."""
