"""What every service of the local Vertex AI shares: refusals, filters, pages, times."""

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf import timestamp_pb2

# Like https://google.aip.dev/160, as far as the tests go: name = "value" joined by AND.
_TERM = re.compile(r'\s*([\w.]+)\s*(=|!=|:)\s*"?([^"]*?)"?\s*')
_LABEL = re.compile(r"[a-z0-9_-]{0,63}")


class Refused(Exception):
    """An error answer: the name of a gRPC code and what is said."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def not_found(kind: str, name: str) -> Refused:
    return Refused("NOT_FOUND", f"The {kind} does not exist: {name}")


def now() -> timestamp_pb2.Timestamp:
    stamp = timestamp_pb2.Timestamp()
    stamp.FromNanoseconds(time.time_ns())
    return stamp


def location_of(name: str) -> str:
    return "/".join(name.split("/")[:4])


def check_labels(labels: dict[str, str]) -> None:
    for key, value in labels.items():
        if not (_LABEL.fullmatch(key) and _LABEL.fullmatch(value)):
            raise Refused("INVALID_ARGUMENT", f"Label {key!r}: {value!r} is not valid: [a-z0-9_-], at most 63.")


def chosen(found: Sequence[Any], request: Any) -> list[Any]:
    """Those a list request's filter lets through."""
    terms = [_TERM.fullmatch(term) for term in re.split(r"\bAND\b", request.filter) if term.strip()]
    if None in terms:
        raise Refused("INVALID_ARGUMENT", f"Invalid filter: {request.filter}")
    return [one for one in found if all(_holds(one, *term.groups()) for term in terms)]


def page(found: Sequence[Any], request: Any, answer: Callable[..., Any], field: str) -> Any:
    """The page of them that a list request asks for."""
    start = int(request.page_token or 0)
    size = request.page_size or 100
    token = str(start + size) if start + size < len(found) else ""
    return answer(**{field: list(found[start : start + size]), "next_page_token": token})


def _holds(one: Any, path: str, relation: str, value: str) -> bool:
    at: Any = one
    for part in path.split("."):
        at = at.get(part, "") if hasattr(at, "get") else getattr(at, part)
    told = at.name if hasattr(at, "name") and not isinstance(at, str) else str(at)
    if relation == ":":
        return value in told or value == "*"
    return (told == value) == (relation == "=")
