"""Networks to start from. Their names are known without importing TensorFlow."""

from roadworthy.models.backbones.names import check_backbone_name, known_backbones

__all__ = ["check_backbone_name", "known_backbones"]
