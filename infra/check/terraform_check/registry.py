"""Decides which provider there is: the real one when the registry answers, unless the environment says."""

import threading
import urllib.request
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

VARIABLE: Final = "ROADWORTHY_PROVIDER"
REGISTRY: Final = "https://registry.terraform.io/.well-known/terraform.json"
_PATIENCE_S: Final = 3.0


class Choice(NamedTuple):
    """Whether the real provider is taken, and why."""

    real: bool
    why: str


def choose(asked: str, *, address: str = REGISTRY) -> Choice:
    """Decides by what the environment asks for, else by whether the registry answers within three seconds.

    Args:
        asked: the variable's value: local, registry, or empty.
        address: what is asked of the registry.

    Raises:
        ValueError: another value.
    """
    if asked not in ("", "local", "registry"):
        raise ValueError(f"{VARIABLE} must be local or registry, or not be set. Received: {asked}.")
    if asked:
        return Choice(asked == "registry", f"{VARIABLE}={asked}")
    fault = _fault(address)
    return Choice(fault is None, "the registry answers" if fault is None else f"the registry does not answer: {fault}")


def _fault(address: str) -> str | None:
    """Why the registry could not be asked. In a thread, since no time-out reaches the lookup of a name."""
    answer: SimpleQueue[str | None] = SimpleQueue()
    threading.Thread(target=lambda: answer.put(_ask(address)), daemon=True).start()
    try:
        return answer.get(timeout=_PATIENCE_S)
    except Empty:
        return f"nothing came for {_PATIENCE_S:g} s"


def _ask(address: str) -> str | None:
    try:
        with urllib.request.urlopen(address, timeout=2 * _PATIENCE_S):  # noqa: S310 (a constant, or a test)
            return None
    except OSError as error:  # URLError and HTTPError are some
        return str(error)
