"""Budgets, verdict and blessing."""
