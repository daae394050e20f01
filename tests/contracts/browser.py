"""A real browser that looks at a page, where one is installed; in CI it has to be."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_ERRORS = re.compile(r":CONSOLE[:(].*", re.MULTILINE)
_WIDTH = re.compile(r'data-width="(\d+) (\d+)"')


@dataclass(frozen=True)
class Seen:
    """What the browser made of a page: its document, what went to the console, widths of content and window."""

    document: str
    console: tuple[str, ...]
    content_width: int
    window_width: int


def look_at(page: Path, *, width: int, height: int = 844) -> Seen:
    """Loads a page in headless Chromium; a frame around it measures whether it is wider than the window."""
    frame = page.with_name(f"frame-{width}.html")
    frame.write_text(
        f"""<!doctype html><body style="margin:0"><iframe id="f" src="{page.name}" width="{width}" height="{height}"
        style="border:0" onload="const d = this.contentDocument.documentElement;
        document.body.setAttribute('data-width', d.scrollWidth + ' ' + d.clientWidth);
        document.body.append(document.importNode(d, true))"></iframe></body>"""
    )
    done = _browse(frame, "--enable-logging=stderr", "--v=0", "--virtual-time-budget=5000", "--dump-dom")
    content, window = (int(value) for value in _WIDTH.search(done.stdout).groups())
    return Seen(done.stdout, tuple(_ERRORS.findall(done.stderr)), content, window)


def print_page(page: Path) -> str:
    """The text of a page as Chromium prints it."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed; the package poppler-utils has it.")
    pdf = page.with_suffix(".pdf")
    _browse(page, "--no-pdf-header-footer", f"--print-to-pdf={pdf}")
    return subprocess.run(["pdftotext", pdf, "-"], capture_output=True, text=True, timeout=60, check=True).stdout


def _browse(page: Path, *options: str) -> subprocess.CompletedProcess:
    command = [
        chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        "--allow-file-access-from-files", f"--user-data-dir={page.parent / 'profile'}", *options, page.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def chromium() -> str:
    """The browser's program; a test without one is skipped, except in CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is not None:
        return found
    if os.environ.get("CI"):
        pytest.fail("CI must have Chromium; make browser installs it.")
    pytest.skip("Chromium is not installed; make browser does that.")
