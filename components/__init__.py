"""TFX components: thin wrappers around plain functions with paths in and values out."""
