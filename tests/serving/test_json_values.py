"""Values of JSON documents one by one."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.serving.json_values import parse_json, quoted, read_b64, written_b64
from roadworthy.serving.status import RequestError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300)
@given(json_values)
def test_json_is_read_as_pythons_own_reader_reads_it(value):
    text = json.dumps(value)
    assert repr(parse_json(text.encode())) == repr(json.loads(text))


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000, b"[1" + b"0" * 5000 + b"]"])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(RequestError, match="JSON Parse error"):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "The document is empty"),
        (b" ", "The document is empty"),
        (b"instances = [1, 2]", "Invalid value. at offset: 0"),
        (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
        (b"{1}", "Missing a name for object member. at offset: 1"),
        (b"{} {}", "The document root must not be followed by other values. at offset: 3"),
        (b'["a', "Missing a closing quotation mark in string. at offset: 1"),
    ],
)
def test_a_parse_error_is_told_in_the_words_of_upstreams_parser(text, words):
    with pytest.raises(RequestError) as refused:
        parse_json(text)
    assert str(refused.value) == f"JSON Parse error: {words}"


@given(st.binary(max_size=20))
def test_bytes_come_back_from_base64_with_or_without_its_padding(value):
    written = written_b64(value)
    assert read_b64(written) == value
    assert read_b64({"b64": "\n".join(written["b64"].rstrip("="))}) == value


@given(json_values)
def test_a_quoted_value_is_short(value):
    assert len(quoted(value)) < 2000
