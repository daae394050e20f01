"""Patterns of zeros in kernels, as the hardware that makes use of them wants them."""

import numpy as np
import numpy.typing as npt

Kernel = npt.NDArray[np.floating]

GROUP = 4
KEPT_OF_GROUP = 2


def sparsity(kernel: Kernel) -> float:
    """Share of exact zeros."""
    return float(np.mean(kernel == 0))


def is_two_of_four(kernel: Kernel) -> bool:
    """Whether of every four consecutive weights along the input channels at most two are other than zero.

    Input channels are the innermost axis of the kernels that a LiteRT file holds, and of those that sparse tensor
    cores take. A last group of fewer than four is held to the same two.

    Args:
        kernel: [rows, columns, inputs, outputs] of a convolution, or [inputs, outputs] of a dense layer.

    Reference: Mishra et al. 2021, "Accelerating Sparse Deep Neural Networks", https://arxiv.org/abs/2104.08378.
    """
    inputs = np.moveaxis(kernel != 0, -2, -1)
    padded = np.pad(inputs, [(0, 0)] * (inputs.ndim - 1) + [(0, -inputs.shape[-1] % GROUP)])
    return bool((padded.reshape(-1, GROUP).sum(axis=1) <= KEPT_OF_GROUP).all())


def block_sparsity(kernel: Kernel, block_size: tuple[int, int]) -> float:
    """Share of the blocks of a dense kernel that are zero as a whole; blocks at the borders may be smaller.

    Args:
        kernel: [inputs, outputs].
        block_size: rows and columns of a block.
    """
    rows, columns = block_size
    used = np.pad(kernel != 0, [(0, -kernel.shape[0] % rows), (0, -kernel.shape[1] % columns)])
    blocks = used.reshape(used.shape[0] // rows, rows, used.shape[1] // columns, columns).any(axis=(1, 3))
    return float(np.mean(~blocks))
