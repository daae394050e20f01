"""JSON values one by one: parsed, named and quoted in errors, read as base64; in the words of TF Serving's REST API.

Upstream: tensorflow_serving/util/json_tensor.cc, rapidjson's error/en.h.
"""

import base64
import binascii
import contextlib
import json
import re
import reprlib
from typing import Any, Final

import orjson

from roadworthy.serving.status import RequestError

_B64: Final = "b64"
_LONG_NUMBER: Final = re.compile(rb"\d{19}")
_LONGEST_QUOTE: Final = 100
_TYPES: Final = {dict: "Object", list: "Array", str: "String", int: "Number", float: "Number", type(None): "Null"}
# What upstream's parser says where Python's says what stands before the colon.
_PARSE_ERRORS: Final = {
    "Expecting value": "Invalid value.",
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Extra data": "The document root must not be followed by other values.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Invalid \\escape": "Invalid escape character in string.",
}


def parse_json(body: bytes) -> Any:
    """Parses a JSON document; NaN, Infinity and -Infinity are numbers.

    Raises:
        RequestError: INVALID_ARGUMENT, not JSON in UTF-8, or nested too deeply.
    """
    # orjson is several times quicker, and of what it refuses the other says why, or takes it, such as NaN. It makes
    # floats of integers beyond 64 bits, though.
    if not _LONG_NUMBER.search(body):
        with contextlib.suppress(ValueError):
            return orjson.loads(body)
    if not body.strip():
        raise RequestError("JSON Parse error: The document is empty")
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        words = _PARSE_ERRORS.get(error.msg.removesuffix(": "), error.msg)
        raise RequestError(f"JSON Parse error: {words} at offset: {error.pos}") from error
    except (ValueError, RecursionError) as error:
        raise RequestError(f"JSON Parse error: {error}") from error


def json_type(value: Any) -> str:
    """What a value's type is called."""
    return str(value) if isinstance(value, bool) else _TYPES[type(value)]


def quoted(value: Any) -> str:
    """A value as an error quotes it, cut where it is long."""
    if isinstance(value, list | dict):
        return reprlib.repr(value)
    text = json.dumps(value[:_LONGEST_QUOTE] if isinstance(value, str) else value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"


def type_error(value: Any, expected: str) -> RequestError:
    """That a value is not of the type that a tensor needs."""
    return RequestError(f"JSON Value: {quoted(value)} Type: {json_type(value)} is not of expected type: {expected}")


def lossy_error(value: Any, expected: str) -> RequestError:
    """That a number can't be held by the type that a tensor needs."""
    return RequestError(f"Cannot convert JSON value: {quoted(value)} to {expected} without loss of precision.")


def is_b64(value: Any) -> bool:
    """Whether a value is an object that holds bytes."""
    return isinstance(value, dict) and value.keys() == {_B64}


def read_b64(value: Any) -> bytes:
    """The bytes of `{"b64": "…"}`; padding may be missing, and white space is skipped.

    Raises:
        RequestError: INVALID_ARGUMENT, no such object, or no base64 in it.
    """
    if not is_b64(value) or not isinstance(value[_B64], str):
        raise RequestError(f"JSON Value: {quoted(value)} not formatted correctly for base64 data")
    text = "".join(value[_B64].split())
    try:
        return base64.b64decode(text if "=" in text else text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(f"Unable to base64 decode: {error}") from error


def written_b64(value: bytes) -> dict[str, str]:
    """Bytes as an object."""
    return {_B64: base64.b64encode(value).decode()}
