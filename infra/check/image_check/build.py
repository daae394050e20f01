"""Builds a target of a Dockerfile in roots of its own, as Docker would, and says how it is to be run."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from image_check.dockerfile import Stage, Step, expand, stages

_ROOT_SCRIPT: Final = Path(__file__).resolve().parent / "trixie_root.sh"
# What a root of Debian 13 with CPython 3.11 stands in for.
_STANDS_IN_FOR: Final = "python:3.11"
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# How this machine's clients find their registry; as part of the build alone, never of what is run.
_CLIENT_VARIABLES: Final = (
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_DEFAULT_TIMEOUT",
)
# Docker gives each step its own /proc and /dev/shm; both are gone with the step.
_MOUNTED: Final = (
    "unshare",
    "--mount",
    "bash",
    "-ec",
    'mkdir -p "$0/dev/shm"; mount -t proc proc "$0/proc"; mount -t tmpfs tmpfs "$0/dev/shm"; exec chroot "$0" "$@"',
)


@dataclass
class Image:
    """A root and how it is to be run."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": _PATH})
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)


class Build:
    """Builds stages once each, those alone that a target needs."""

    def __init__(self, dockerfile: Path, *, context: Path, roots: Path, images: Mapping[str, str]) -> None:
        """Reads the Dockerfile.

        Args:
            dockerfile: the file.
            context: what COPY copies from, less what its .dockerignore leaves out.
            roots: where each stage's root is made.
            images: values of the ARGs before the first FROM.
        """
        self._stages = stages(dockerfile.read_text(), images)
        self._context, self._roots = context, roots
        self._built: dict[str, Image] = {}

    def image(self, name: str) -> Image:
        """The image of a stage, built unless it was.

        Raises:
            ValueError: it is made from an image that nothing stands in for.
            subprocess.CalledProcessError: a RUN step failed.
        """
        if name not in self._built:
            stage = self._stages[name]
            image = self._base(stage)
            for step in stage.steps:
                self._follow(step, image)
            self._built[name] = image
        return self._built[name]

    def _base(self, stage: Stage) -> Image:
        root = self._roots / stage.name
        if stage.base in self._stages:
            below = self.image(stage.base)
            subprocess.run(["cp", "-a", below.root, root], check=True)
            return replace(below, root=root, environment=dict(below.environment))
        if not stage.base.startswith(_STANDS_IN_FOR):
            raise ValueError(
                f"{stage.name} must be made from {_STANDS_IN_FOR}…: a root stands in for it. Received: {stage.base}."
            )
        subprocess.run([_ROOT_SCRIPT, root], check=True)
        return Image(root)

    def _follow(self, step: Step, image: Image) -> None:
        match step.name:
            case "COPY":
                self._copy(step, image)
            case "RUN":
                _run(step, image)
            case "ENV":
                for pair in step.rest.split():
                    key, _, value = pair.partition("=")
                    image.environment[key] = expand(value, image.environment)
            case "USER":
                image.user = step.rest
            case "ENTRYPOINT":
                image.entrypoint = step.words()
            case "CMD":
                image.command = step.words()
            case "HEALTHCHECK":
                _, asked = step.rest.split("CMD", 1)
                image.healthcheck = json.loads(asked)
            case _:
                pass  # LABEL, EXPOSE, STOPSIGNAL and ARG change no file.

    def _copy(self, step: Step, image: Image) -> None:
        flags, (*sources, target) = step.flags()
        place = image.root / target.lstrip("/")
        for source in sources:
            if "from" in flags:
                path = self.image(flags["from"]).root / source.lstrip("/")
                left_out = None
            else:
                path, left_out = self._context / source, _ignored(self._context)
            _copy_one(path, place, as_folder=target.endswith("/"), left_out=left_out, mode=flags.get("chmod"))


def _copy_one(path: Path, place: Path, *, as_folder: bool, left_out, mode: str | None) -> None:
    if path.is_dir():
        # From a finished stage by links: an environment has gigabytes, and nothing changes there any more.
        copy = shutil.copy2 if left_out else os.link
        shutil.copytree(path, place, ignore=left_out, symlinks=True, dirs_exist_ok=True, copy_function=copy)
        return
    target = place / path.name if as_folder else place
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target)
    if mode is not None:
        target.chmod(int(mode, 8))


def _ignored(context: Path):
    """What .dockerignore leaves out; ours leaves out everything but what it names."""
    lines = [line for line in (context / ".dockerignore").read_text().split() if not line.startswith("#")]
    taken = [line[1:] for line in lines if line.startswith("!")]
    never = [line.removeprefix("**/") for line in lines if line.startswith("**/")]

    def left_out(folder: str, names: list[str]) -> set[str]:
        below = Path(folder).relative_to(context)
        return {
            name for name in names if any(fnmatch(name, one) for one in never) or not _is_taken(below / name, taken)
        }

    return left_out


def _is_taken(path: Path, taken: list[str]) -> bool:
    """Whether a path is one of those taken, below one, or on the way to one."""
    return any(path.is_relative_to(one) or Path(one).is_relative_to(path) for one in taken)


def _run(step: Step, image: Image) -> None:
    clients = {name: os.environ[name] for name in _CLIENT_VARIABLES if name in os.environ}
    environment = {**clients, "HOME": "/root", **image.environment}
    command = [*_MOUNTED, image.root, "/bin/sh", "-c", step.rest]
    subprocess.run(command, env=environment, check=True)
