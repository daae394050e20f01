"""A real browser that a test clicks through, over the DevTools protocol on a pipe."""

import base64
import contextlib
import json
import os
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

from contracts.browser import chromium

# Where Chromium reads commands and writes what happens, under --remote-debugging-pipe.
_COMMANDS, _EVENTS = 3, 4


class Browser:
    """A page in headless Chromium.

    Attributes:
        console: what went to the console, and what the page's own policy refused.
    """

    def __init__(self, profile: Path, *, width: int, height: int = 900) -> None:
        self.console: list[str] = []
        self._number, self._session = 0, None
        self._start([
            chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank",
        ])  # fmt: skip
        (page,) = (one for one in self._command("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self._session = self._command("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self._command(f"{domain}.enable")
        self._command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def open(self, url: str) -> None:
        self._command("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        told = self._command("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def wait_for(self, script: str, *, within_s: float = 30.0) -> Any:
        """The first true value of an expression."""
        deadline = time.monotonic() + within_s
        while not (value := self.run(script)):
            assert time.monotonic() < deadline, f"never true: {script}\n{self.run('document.body.innerText')}"
            time.sleep(0.05)
        return value

    def choose_file(self, selector: str, file: Path) -> None:
        """What a person does with a file field."""
        root = self._command("DOM.getDocument")["root"]["nodeId"]
        found = self._command("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self._command("DOM.setFileInputFiles", nodeId=found, files=[str(file)])

    def screenshot(self, file: Path) -> None:
        """The whole page as a PNG file."""
        told = self._command("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(told["data"]))

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._command("Browser.close")
        self._to.close()
        self._from.close()
        self._process.wait(30)

    def _start(self, command: list[str]) -> None:
        commands_out, commands_in = os.pipe()
        events_out, events_in = os.pipe()
        line = f"exec {shlex.join(command)} {_COMMANDS}<&{commands_out} {_EVENTS}>&{events_in}"
        self._process = subprocess.Popen(
            ["bash", "-c", line], pass_fds=(commands_out, events_in), stderr=subprocess.DEVNULL
        )
        os.close(commands_out)
        os.close(events_in)
        self._to, self._from = os.fdopen(commands_in, "wb", buffering=0), os.fdopen(events_out, "rb")

    def _command(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        self._to.write(json.dumps(message | ({"sessionId": self._session} if self._session else {})).encode() + b"\0")
        while True:
            told = json.loads(self._next())
            if told.get("id") == self._number:
                assert "error" not in told, told
                return told["result"]
            if told.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                self.console.append(json.dumps(told["params"]))

    def _next(self) -> bytes:
        message = bytearray()
        while (byte := self._from.read(1)) != b"\0":
            if not byte:
                raise ConnectionResetError("Chromium is gone.")
            message += byte
        return bytes(message)
