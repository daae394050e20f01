"""Vertex AI: versions in its registry, on its endpoints and in its batch jobs. Google's clients load when used."""
