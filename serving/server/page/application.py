"""The page and the list of models it reads, as ASGI applications."""

import base64
import functools
import hashlib
from collections.abc import Callable
from importlib.resources import files
from typing import Any, Final

from roadworthy.serving.json_tensors import write_json
from roadworthy.serving.server.access import may_ask
from roadworthy.serving.server.rest_app import CALL, Application, Receive, Scope, Send
from roadworthy.serving.server.served import Served
from roadworthy.serving.status import RequestError

PAGE_PATH: Final = "/"
MODELS_PATH: Final = "/roadworthy/models"


def page_routes(served: Served) -> dict[str, Application]:
    """The page at `/`, and the list of models beside TF Serving's paths, which know no such list."""
    document, policy = page()

    async def show(_scope: Scope, _receive: Receive, send: Send) -> None:
        await _answer(send, document, b"text/html; charset=utf-8", (b"content-security-policy", policy))

    async def tell(scope: Scope, _receive: Receive, send: Send) -> None:
        told = models(served, lambda name: may_ask(scope[CALL], name))
        await _answer(send, write_json(told), b"application/json", (b"cache-control", b"no-store"))

    return {PAGE_PATH: show, MODELS_PATH: tell}


def models(served: Served, is_allowed: Callable[[str], bool]) -> dict[str, Any]:
    """Every model allowed, with its versions, newest first, and the labels of its classes where its card tells them."""
    return {
        "models": [
            {"name": name, "labels": _labels(served, name), "versions": _versions(served, name)}
            for name in served.models()
            if is_allowed(name)
        ]
    }


@functools.cache
def page() -> tuple[bytes, bytes]:
    """The page with its style and its script inside, and the policy under which a browser runs these two only."""
    folder = files(__package__)
    html, style, script = (folder.joinpath(name).read_text("utf-8") for name in ("index.html", "page.css", "page.js"))
    document = html.replace("{{ style }}", style).replace("{{ script }}", script)
    policy = (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; connect-src 'self'; "
        "img-src blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return document.encode(), policy.encode()


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _labels(served: Served, name: str) -> list[str] | None:
    try:
        with served.use(name) as (_, servable):
            return None if servable.card is None else list(servable.card.labels)
    except RequestError:
        return None


def _versions(served: Served, name: str) -> list[dict[str, str]]:
    try:
        return [
            # As a text, as TF Serving's JSON has it: a script's numbers don't hold every int64.
            {"version": str(number), "state": state.value, "error": error or ""}
            for number, state, error in served.statuses(name)
        ]
    except RequestError:
        return []


async def _answer(send: Send, body: bytes, kind: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        *more,
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
