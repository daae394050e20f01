"""What the client needs of a transport."""

from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np

from roadworthy.serving.errors import AskError

# Answers larger than this are refused, as the server refuses such requests.
MAX_MESSAGE_BYTES: Final = 128 * 1024 * 1024


class Transport(Protocol):
    """One connection to a server."""

    def predict(
        self, model: str, inputs: Mapping[str, np.ndarray], *, signature: str, version: int | None
    ) -> dict[str, np.ndarray]:
        """Sends one Predict request.

        Raises:
            AskError: the server said no, or can't be reached; carries the code.
        """
        ...

    def close(self) -> None:
        """Closes the connection."""
        ...


def ask_error(code: str, message: str, *, server: str, model: str) -> AskError:
    """The error for a refused request, with what to do about it where that is known."""
    hint = {
        "UNAVAILABLE": f" Is a server running at {server}, and is this its port for that transport "
        "(by default 8500 for grpc, 8501 for rest)? Start one with: roadworthy serve MODEL_ROOT",
        "NOT_FOUND": f" Check the model's name and version; the server at {server} answers for the folders "
        f"MODEL_ROOT/{model}/<version>/ that it could load.",
        "DEADLINE_EXCEEDED": " Allow more time, or send fewer images in a request.",
        "RESOURCE_EXHAUSTED": " Send fewer or smaller images in a request.",
    }.get(code, "")
    return AskError(f"{server} can't answer for model {model}: {code}: {message.rstrip('.')}.{hint}", code=code)
