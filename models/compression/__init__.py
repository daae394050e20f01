"""Recipes that make a trained model smaller and faster."""
