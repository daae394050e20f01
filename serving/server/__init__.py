"""A model server with TF Serving's API over gRPC and REST."""
