"""Opens a version folder with whatever runs it."""

from pathlib import Path

from roadworthy.serving.contract import LITERT_FILE, SAVED_MODEL_FILE
from roadworthy.serving.errors import ServeError
from roadworthy.serving.manifest import MANIFEST_FILE, verify_manifest
from roadworthy.serving.servables.base import Servable


def open_servable(version_dir: Path, *, threads: int | None = None) -> Servable:
    """Loads an exported model, once its files are what its manifest says, if it has one.

    TensorFlow is imported only for a SavedModel.

    Args:
        version_dir: folder with `saved_model.pb` or `model.tflite`.
        threads: threads one answer may use; None leaves the runtime's own choice. For a SavedModel it has to be
            given before TensorFlow first runs in the process.

    Raises:
        ServeError: no such model, damaged files, or one that can't be loaded; the message names the file.
    """
    if (version_dir / MANIFEST_FILE).exists():
        verify_manifest(version_dir)
    if (version_dir / SAVED_MODEL_FILE).is_file():
        from roadworthy.serving.servables.saved_model import SavedModelServable

        return SavedModelServable(version_dir, threads=threads)
    if (version_dir / LITERT_FILE).is_file():
        from roadworthy.serving.servables.litert import LiteRTServable

        return LiteRTServable(version_dir, threads=threads)
    raise ServeError(f"{version_dir} must hold {SAVED_MODEL_FILE} or {LITERT_FILE}. Received: neither.")
