"""Artifacts in a bucket, as folders of this machine while a node works on them.

What a node does is written in terms of paths. Here is the one place where a bucket's artifacts become folders, before
the node starts, and where its outputs go back, once it has ended well.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tfx.dsl.io import fileio
from tfx.utils import io_utils

from roadworthy.pipeline.container.arguments import Artifacts

REMOTE: Final = "://"


@contextmanager
def on_this_machine(inputs: Artifacts, outputs: Artifacts) -> Iterator[None]:
    """Gives remote artifacts the URIs of local folders; those that are local already stay as they are.

    On the way out every artifact has its own URI again, and so has whatever an output's custom properties say of one.
    A node that fails uploads nothing.
    """
    with tempfile.TemporaryDirectory(prefix="roadworthy-node-") as scratch:
        remote = _moved(inputs, Path(scratch, "inputs")) + _moved(outputs, Path(scratch, "outputs"))
        for artifact, uri in remote:
            Path(artifact.uri).mkdir(parents=True)
            if fileio.isdir(uri):
                io_utils.copy_dir(uri, artifact.uri)
        try:
            yield
            uploads = {artifact.uri: uri for artifact, uri in remote if _within(artifact, outputs)}
            for folder, uri in uploads.items():
                upload(Path(folder), uri)
            _restore_properties(outputs, {artifact.uri: uri for artifact, uri in remote})
        finally:
            for artifact, uri in remote:
                artifact.uri = uri


def upload(folder: Path, uri: str) -> None:
    """Copies a folder to a bucket, empty files included; a file that is there already is replaced."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            target = f"{uri}/{path.relative_to(folder).as_posix()}"
            fileio.makedirs(target.rpartition("/")[0])
            fileio.copy(str(path), target, overwrite=True)


def make_output_folders(outputs: Artifacts) -> None:
    """Makes the folders of outputs that are on this machine, which TFX's local runner does before a node starts."""
    for artifacts in outputs.values():
        for artifact in artifacts:
            if REMOTE not in artifact.uri:
                Path(artifact.uri).mkdir(parents=True, exist_ok=True)


def _moved(artifacts: Artifacts, folder: Path) -> list[tuple[Any, str]]:
    """Remote artifacts with a local URI in place of the one that is returned beside each."""
    moved = []
    for key, listed in artifacts.items():
        for place, artifact in enumerate(listed):
            if REMOTE in artifact.uri:
                moved.append((artifact, artifact.uri))
                artifact.uri = str(folder / key / str(place))
    return moved


def _within(artifact: Any, outputs: Artifacts) -> bool:
    return any(artifact is listed for artifacts in outputs.values() for listed in artifacts)


def _restore_properties(outputs: Artifacts, uris: dict[str, str]) -> None:
    """A blessing names the model it blesses by its folder, which is gone when this process is."""
    for artifacts in outputs.values():
        for artifact in artifacts:
            for name, value in artifact.mlmd_artifact.custom_properties.items():
                if value.string_value in uris:
                    artifact.set_string_custom_property(name, uris[value.string_value])
