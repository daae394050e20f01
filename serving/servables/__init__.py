"""Exported models, opened and asked: SavedModels on TensorFlow, LiteRT files without it."""
