"""How many threads TensorFlow runs models on, which a process settles once, before the first one."""

from dataclasses import dataclass, fields
from typing import Any, Final

from roadworthy.serving.errors import ServeError


@dataclass(frozen=True)
class TensorFlowThreads:
    """Sizes of TensorFlow's two pools; None leaves one to TensorFlow, which takes a thread for each core.

    Attributes:
        intra_op: threads that one operation is shared out to, >= 1. With 1 each request has one core to itself, and no
            work is lost to sharing small operations out.
        inter_op: operations of batches that run at once, >= 1; a request that is answered alone runs in its own thread.
    """

    intra_op: int | None = None
    inter_op: int | None = None

    def settle(self, tensorflow: Any) -> None:
        """Sets what is given.

        Raises:
            ServeError: TensorFlow already runs with other numbers.
        """
        for field in fields(self):
            wanted = getattr(self, field.name)
            if wanted is not None:
                _settle(tensorflow.config.threading, field.name, wanted)


TENSORFLOW_S_CHOICE: Final = TensorFlowThreads()


def _settle(threading: Any, pool: str, wanted: int) -> None:
    set_to = getattr(threading, f"get_{pool}_parallelism_threads")()
    if set_to == wanted:
        return
    try:
        getattr(threading, f"set_{pool}_parallelism_threads")(wanted)
    except RuntimeError as error:
        raise ServeError(
            f"TensorFlow's {pool} threads must be set before it first runs. Received: {wanted} when it already ran "
            f"with {set_to or 'its own choice'}. Open the model in a new process."
        ) from error
