"""Labelled folders -> tf.Example, in train, val and test splits."""
