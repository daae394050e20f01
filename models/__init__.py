"""Backbones, fine-tuning, compression, export and measurement of Keras models. Imports nothing heavy."""
