"""Calls between two processes over a pair of sockets, in both directions and several at a time, as JSON."""

import asyncio
import contextlib
import itertools
import logging
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import orjson

from roadworthy.serving.errors import RoadworthyError, ServeError
from roadworthy.serving.status import RequestError

_LOG: Final = logging.getLogger(__name__)
_LENGTH: Final = struct.Struct("!I")

Answer = Callable[..., Awaitable[Any]]


class Gone(ServeError):
    """The other process has ended, or is about to."""


class Channel:
    """One end of a pair of sockets; belongs to the event loop's thread."""

    def __init__(self, pair: socket.socket, answers: Mapping[str, Answer]) -> None:
        """Calls nobody before `open`.

        Args:
            pair: this end.
            answers: what the other end may call, by name; what they raise is raised there.
        """
        self._pair = pair
        self._answers = answers
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count()
        # A task nobody holds may be collected before it is done.
        self._answering: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Calls can be made from now on."""
        self._reader, self._writer = await asyncio.open_unix_connection(sock=self._pair)

    async def run(self) -> None:
        """Takes calls and answers until the other end is closed; whoever still waits for it is told so."""
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
                    self._take(orjson.loads(await self._reader.readexactly(length)))
        finally:
            self._writer.close()
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(Gone("The process that was asked has ended."))

    async def call(self, name: str, /, **given: Any) -> Any:
        """Has the other process do something, and returns what comes of it.

        Raises:
            Gone: it has ended.
            RequestError, ServeError: as it was raised there.
        """
        number = next(self._numbers)
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._send({"number": number, "call": name, "given": given})
            return await answer
        finally:
            del self._waiting[number]

    def tell(self, name: str, /, **given: Any) -> None:
        """Has the other process do something that nobody waits for."""
        with contextlib.suppress(Gone):
            self._send({"number": None, "call": name, "given": given})

    def _send(self, message: dict[str, Any]) -> None:
        if self._writer.is_closing():
            raise Gone("The process that is to be asked has ended.")
        told = orjson.dumps(message)
        self._writer.write(_LENGTH.pack(len(told)) + told)

    def _take(self, message: dict[str, Any]) -> None:
        if "call" in message:
            task = asyncio.get_running_loop().create_task(self._answer(message))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
            return
        waiting = self._waiting.get(message["number"])
        if waiting is None or waiting.done():
            return
        if "error" in message:
            waiting.set_exception(_error_of(*message["error"]))
        else:
            waiting.set_result(message["answer"])

    async def _answer(self, message: dict[str, Any]) -> None:
        try:
            answered: dict[str, Any] = {"answer": await self._answers[message["call"]](**message["given"])}
        except Exception as error:
            if not isinstance(error, RoadworthyError):
                _LOG.exception("%s failed", message["call"])
            answered = {"error": [getattr(error, "code", None), str(error) or type(error).__name__]}
        if message["number"] is not None:
            with contextlib.suppress(Gone):
                self._send({"number": message["number"], **answered})


def _error_of(code: str | None, text: str) -> Exception:
    return ServeError(text) if code is None else RequestError(text, code=code)
