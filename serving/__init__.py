"""What a servable is, and how it is published, served and asked. Imports nothing heavy."""
