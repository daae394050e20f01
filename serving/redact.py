"""Credentials taken out of what is about to be shown or written, whichever library put them there."""

import os
import re
from typing import Final

_HIDDEN: Final = "…"
_OF_A_SECRET: Final = re.compile("(?i)(token|secret|password|passwd|api_?key|access_?key|private_?key)")
# A variable whose name ends so holds a credential; shorter values are words that stand elsewhere too.
_VARIABLE: Final = re.compile(f"{_OF_A_SECRET.pattern}$")
_LEAST_CHARS: Final = 8
_BESIDE_A_NAME: Final = (
    r"""(?i)((?:access|refresh|id|api|auth)_token|password|client_secret|private_key)(["']?\s*[=:]\s*)"""
    r"""(?:(["']).*?\3|[^\s,;&"')}]+)"""
)
_FORMS: Final = (
    (re.compile(r"(?i)\b(bearer\s+)\S{8,}|\b(basic\s+)[a-z0-9+/]{16,}=*"), rf"\1\2{_HIDDEN}"),
    # Google's access tokens, and tokens that are JSON.
    (re.compile(r"\bya29\.[\w.-]+|\beyJ[\w-]{8,}\.[\w-]+(\.[\w-]+)?"), _HIDDEN),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), _HIDDEN),
    # An address' user and password.
    (re.compile(r"(\w://)[^/\s@'\"]+@"), rf"\1{_HIDDEN}@"),
    (re.compile(_BESIDE_A_NAME), rf"\1\2{_HIDDEN}"),
)


def redact(text: str) -> str:
    """The text without what has the form of a credential, and without any that this process has in its environment."""
    for name, value in os.environ.items():
        if len(value) >= _LEAST_CHARS and _VARIABLE.search(name):
            text = text.replace(value, _HIDDEN)
    for form, shown in _FORMS:
        text = form.sub(shown, text)
    return text


def names_a_secret(key: str) -> bool:
    """Whether what stands beside such a name is likely to be a credential."""
    return _OF_A_SECRET.search(key) is not None
