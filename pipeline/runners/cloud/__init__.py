"""Submits the compiled pipeline to Vertex AI or Kubeflow, and looks after its runs and schedules."""
