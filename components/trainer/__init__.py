"""Fine-tuning as a node whose epochs may change without compiling again."""
