"""Makes zip.pth and legacy.pth: one small state dict in both formats of PyTorch's checkpoints.

PyTorch is no dependency of Roadworthy. Run this in an environment of its own, from the repository's root:

    python3.11 -m venv torch-env
    torch-env/bin/pip install torch==2.13.0 numpy
    torch-env/bin/python tests/testdata/checkpoints/make.py
"""

from collections import OrderedDict
from pathlib import Path

import torch

FOLDER = Path(__file__).parent

kernel = torch.arange(12, dtype=torch.float32).reshape(3, 4)
state = OrderedDict(
    {
        "kernel": kernel,
        "transposed": kernel.T,
        "row": kernel[1],
        "half": torch.tensor([0.5, -2.0], dtype=torch.float16),
        "steps": torch.tensor(7),
        "empty": torch.zeros(0, 3),
    }
)
torch.save(state, FOLDER / "zip.pth")
torch.save(state, FOLDER / "legacy.pth", _use_new_zipfile_serialization=False)
torch.save({"weight": torch.ones(2, dtype=torch.bfloat16)}, FOLDER / "bfloat16.pth")
torch.save(torch.nn.Linear(2, 2), FOLDER / "module.pth")
