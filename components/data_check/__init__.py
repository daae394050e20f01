"""Stops the run when the data has anomalies."""
