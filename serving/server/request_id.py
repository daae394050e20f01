"""The name by which one request is found again in logs of client and server."""

import random
import re
from typing import Final

HEADER: Final = b"x-request-id"
# Ids need not be secret, only different from those of other processes, which the system's entropy at the start sees to.
_IDS: Final = random.Random()  # noqa: S311
# Longer ones and other characters are somebody's try to write into a log what isn't so.
_SANE: Final = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def request_id(given: str | None) -> str:
    """The client's own id if it is a sane one, else a new one of 32 hexadecimal digits."""
    return given if given is not None and _SANE.fullmatch(given) else f"{_IDS.getrandbits(128):032x}"
