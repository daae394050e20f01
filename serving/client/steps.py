"""What a call wants done, as values: the seam between what is asked and how bytes travel.

Everything a client knows is in generators that yield these steps and are sent what came of them. Whoever runs one needs
only to move bytes and to wait, which is all that differs between threads and asyncio.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, TypeVar

T = TypeVar("T")

OK: Final = "OK"
# Messages larger than this are refused, as the server refuses them.
MAX_MESSAGE_BYTES: Final = 128 * 1024 * 1024


@dataclass(frozen=True)
class Message:
    """One request on the wire.

    Attributes:
        target: path of gRPC's method, or of REST's resource.
        body: what is sent; empty for a GET.
        method: REST's; gRPC has no other.
    """

    target: str
    body: bytes = b""
    method: str = "POST"


@dataclass(frozen=True)
class Reply:
    """What came back.

    Attributes:
        code: ``OK``, or gRPC's name for what went wrong.
        body: the answer, if all went well.
        message: what the other side says of the fault.
    """

    code: str
    body: bytes = b""
    message: str = ""


@dataclass(frozen=True)
class Send:
    """Send a message; the reply is wanted within so many seconds."""

    message: Message
    timeout_s: float


@dataclass(frozen=True)
class Wait:
    """Do nothing for so many seconds."""

    seconds: float


# Messages out, the bodies of their answers in: what a protocol needs to answer one question.
Exchange = Generator[Message, bytes, T]
# The same after retries and deadlines were added.
Steps = Generator[Send | Wait, Reply | None, T]
