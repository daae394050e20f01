"""What TensorFlow's errors say to who asked: a gRPC code and one line."""

from typing import Any

from roadworthy.serving.status import RequestError


def refused(error: Any) -> RequestError:
    """The refusal that a `tf.errors.OpError` comes to."""
    return RequestError(cause(error), code=code(error))


def code(error: Any) -> str:
    """The gRPC name of TensorFlow's error; its classes are named after the codes."""
    name = type(error).__name__.removesuffix("Error")
    found = "".join(f"_{letter}" if letter.isupper() else letter for letter in name).lstrip("_").upper()
    return {"OP": "UNKNOWN"}.get(found, found)


def cause(error: Any) -> str:
    """The line that says what was wrong, between where it was in Python and where in the graph."""
    before_node = str(error.message).split("\n\t [[", 1)[0].strip()
    return before_node.rsplit("\n", 1)[-1].strip() or type(error).__name__


def first_line(error: Exception) -> str:
    """The first line of any error."""
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
