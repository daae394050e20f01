"""Everything that is measured of exported models, put together."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from roadworthy.components.scorecard.card import Measured, Score
from roadworthy.models.compression.record import read_records
from roadworthy.models.measure.answers import Truth, read_answers, read_truth, write_answers
from roadworthy.models.measure.latency_process import measure_latency_apart
from roadworthy.models.measure.layers import measure_layers, sparsity_of
from roadworthy.models.measure.memory_process import measure_memory
from roadworthy.models.measure.quality import parity_of, quality_of, slices_beside
from roadworthy.models.measure.records import first_images
from roadworthy.models.measure.results import Latency
from roadworthy.models.measure.size import measure_size
from roadworthy.serving.contract import LITERT_FILE, ModelCard

TIMED_IMAGES: Final = 64
REMEMBERED_IMAGES: Final = 8
PARENT: Final = "parent"

_log = logging.getLogger(__name__)


def score_models(
    version_dirs: Mapping[str, Path],
    *,
    files: Sequence[str],
    slices: Sequence[str],
    latency_calls: int,
    threads: int,
    batch: int,
    out_dir: Path,
    make_pipeline: Callable[[], Any],
) -> list[Score]:
    """Measures several models, their latencies in one run.

    Args:
        version_dirs: name -> exported version folder; the first is the parent.
        files: globs of the split's gzip TFRecords.
        slices: features to slice by.
        latency_calls: timed calls at batch 1, of each model.
        threads: threads one timed call may use.
        batch: images a call while throughput is measured.
        out_dir: where TFMA's results go, `tfma/<name>/`, and every model's answers, `answers/<name>.npy`.
        make_pipeline: makes the Beam pipeline that TFMA runs on.

    Returns:
        One score for each name, in order.
    """
    truth, images = read_truth(files, features=slices), first_images(files, count=TIMED_IMAGES)
    latencies = measure_latency_apart(
        list(version_dirs.values()), images, calls=latency_calls, threads=threads, batch=batch
    )
    parent, scores = next(iter(version_dirs)), []
    for (name, folder), latency in zip(version_dirs.items(), latencies, strict=True):
        _log.info("Measuring %s", name)
        measured = measure_exported(
            folder, name=name, files=files, truth=truth, out_dir=out_dir, make_pipeline=make_pipeline
        )
        score = _score(measured, folder, latency=latency, images=images[:REMEMBERED_IMAGES])
        if name != parent:
            parents, own = (read_answers(answers_file(out_dir, which)) for which in (parent, name))
            beside = {
                "parity": parity_of(parents, own, truth),
                "slices": slices_beside(parents, own, truth, score.slices),
            }
            score = score.model_copy(update=beside)
        scores.append(score)
    return scores


def measure_exported(
    version_dir: Path,
    *,
    name: str,
    files: Sequence[str],
    truth: Truth,
    out_dir: Path,
    make_pipeline: Callable[[], Any],
) -> Measured:
    """Quality and size of one exported model.

    The answers come from the servable; accuracy and recall of a SavedModel are held to what TFMA finds. TFMA can read
    LiteRT files too, but only ones whose inputs are features of the examples; ours take pixels.

    Args:
        version_dir: the exported version folder.
        name: what its files in `out_dir` are called by.
        files: globs of the split's gzip TFRecords.
        truth: of the split.
        out_dir: as in `score_models`.
        make_pipeline: likewise.
    """
    card, answers = ModelCard.read(version_dir), answers_file(out_dir, name)
    write_answers(version_dir, files, truth=truth, out=answers)
    quality = quality_of(read_answers(answers), truth, card.labels)
    litert = (version_dir / LITERT_FILE).is_file()
    if not litert:
        from roadworthy.components.scorecard.tfma_quality import check_tfma_agrees

        check_tfma_agrees(version_dir, files, quality, out_dir=out_dir / "tfma" / name, make_pipeline=make_pipeline)
    size = measure_size(version_dir)
    return Measured(
        **dict(quality),
        variant=card.variant,
        uri=str(version_dir),
        format="litert" if litert else "saved_model",
        quality_source="litert" if litert else "tfma",
        size_bytes=size.raw_bytes,
        size_gzip_bytes=size.gzip_bytes,
        size_zstd_bytes=size.zstd_bytes,
    )


def answers_file(out_dir: Path, name: str) -> Path:
    """Where a model's answers to the split are kept."""
    return out_dir / "answers" / f"{name}.npy"


def _score(measured: Measured, version_dir: Path, *, latency: Latency, images: Sequence[bytes]) -> Score:
    layers = measure_layers(version_dir)
    return Score(
        **dict(measured),
        latency=latency,
        peak_memory_bytes=measure_memory(version_dir, images),
        sparsity=sparsity_of(layers),
        layers=layers,
        steps=read_records(version_dir.parent),
    )
