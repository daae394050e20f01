"""What runs in a node's container on Vertex AI and Kubeflow: TFX's contract, with artifacts brought to the machine."""
