"""Equal bits from equal seeds, where they are asked for."""

import os
from typing import Final

import tensorflow as tf

from roadworthy.serving.errors import ModelError

DETERMINISTIC_OPS: Final = "TF_DETERMINISTIC_OPS"
INTEROP_THREADS: Final = "TF_NUM_INTEROP_THREADS"


def keep_order() -> None:
    """Under TF_DETERMINISTIC_OPS, makes TensorFlow run one operation after another; each still has all cores.

    On CPUs that variable is not enough: AddN begins with whichever input's buffer is free by then, so that with several
    operations at a time a sum of three may differ in its last bit, and with it all that is trained after. The gradient
    of a batch normalisation has such a sum.

    Raises:
        ModelError: TensorFlow has begun already, with several at a time.

    Reference: AddNOp in https://github.com/tensorflow/tensorflow/blob/v2.19.0/tensorflow/core/kernels/aggregate_ops.h.
    """
    if os.environ.get(DETERMINISTIC_OPS, "").lower() not in ("1", "true"):
        return
    threads = tf.config.threading.get_inter_op_parallelism_threads() or os.environ.get(INTEROP_THREADS)
    if str(threads) == "1":
        return
    try:
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError as error:
        raise ModelError(
            f"{DETERMINISTIC_OPS} needs one operation at a time from TensorFlow's start on. Received: a TensorFlow "
            f"that has begun with several. Set {INTEROP_THREADS}=1 as well."
        ) from error
