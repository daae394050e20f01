"""Public datasets, written as labelled folders."""
