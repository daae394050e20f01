"""The pipeline as one document that Vertex AI and Kubeflow Pipelines run: KFP's PipelineSpec."""
