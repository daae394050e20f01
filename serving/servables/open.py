"""Opens a version folder with whatever runs it."""

from pathlib import Path

from roadworthy.serving.contract import CARD_PATH, LITERT_FILE, SAVED_MODEL_FILE
from roadworthy.serving.errors import ServeError
from roadworthy.serving.images import DEFAULT_LIMITS, ImageLimits
from roadworthy.serving.manifest import MANIFEST_FILE, verify_manifest
from roadworthy.serving.servables.base import Servable
from roadworthy.serving.servables.batching.parameters import Batching
from roadworthy.serving.servables.tensorflow_threads import TENSORFLOW_S_CHOICE, TensorFlowThreads


def open_servable(
    version_dir: Path,
    *,
    batching: Batching | None = None,
    limits: ImageLimits = DEFAULT_LIMITS,
    prefer_litert: bool = False,
    tensorflow_threads: TensorFlowThreads = TENSORFLOW_S_CHOICE,
    litert_threads: int | None = None,
    litert_at_once: int | None = None,
) -> Servable:
    """Loads an exported model, once its files are what its manifest says, if it has one.

    TensorFlow is imported only for a SavedModel.

    Args:
        version_dir: folder with `saved_model.pb` or `model.tflite`.
        batching: how a SavedModel answers requests together that come at once; None answers each on its own.
        limits: the largest images to decode.
        prefer_litert: of a folder that holds both, takes `model.tflite`.
        tensorflow_threads: those that SavedModels run on; to be given before TensorFlow first runs in the process.
        litert_threads: threads an answer of a LiteRT model may use, >= 1; None is all cores for a request that is
            alone, else one.
        litert_at_once: requests that a LiteRT model works on at once, >= 1; None is one a core.

    Raises:
        ServeError: no such model, damaged files, or one that can't be loaded; the message names the file.
    """
    if (version_dir / MANIFEST_FILE).exists():
        verify_manifest(version_dir)
    has_saved_model, has_litert = ((version_dir / file).is_file() for file in (SAVED_MODEL_FILE, LITERT_FILE))
    if not (has_saved_model or has_litert):
        raise ServeError(f"{version_dir} must hold {SAVED_MODEL_FILE} or {LITERT_FILE}. Received: neither.")
    if has_litert and (prefer_litert or not has_saved_model):
        return _open_litert(version_dir, threads=litert_threads, at_once=litert_at_once, limits=limits)
    from roadworthy.serving.servables.saved_model import SavedModelServable

    return SavedModelServable(version_dir, threads=tensorflow_threads, batching=batching, limits=limits)


def _open_litert(version_dir: Path, *, threads: int | None, at_once: int | None, limits: ImageLimits) -> Servable:
    if (version_dir / CARD_PATH).is_file():
        from roadworthy.serving.servables.litert import LiteRTServable

        return LiteRTServable(version_dir, threads=threads, at_once=at_once, limits=limits)
    from roadworthy.serving.servables.litert_tensors import LiteRTTensorsServable

    return LiteRTTensorsServable(version_dir, threads=threads, at_once=at_once)
