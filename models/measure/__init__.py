"""Quality, latency, size and sparsity of a model, from its exported files."""
