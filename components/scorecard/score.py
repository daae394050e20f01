"""Everything that is measured of exported models, put together."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from roadworthy.components.scorecard.card import Measured, Score
from roadworthy.models.measure.latency_process import measure_latency_apart
from roadworthy.models.measure.quality import measure_quality
from roadworthy.models.measure.size import measure_size
from roadworthy.models.measure.sparsity import measure_sparsity
from roadworthy.serving.contract import LITERT_FILE, ModelCard


def score_models(
    version_dirs: Mapping[str, Path],
    *,
    files: Sequence[str],
    latency_calls: int,
    threads: int,
    tfma_dir: Path,
    make_pipeline: Callable[[], Any],
) -> list[Score]:
    """Measures several models, their latencies in one run.

    Args:
        version_dirs: name -> exported version folder.
        files: globs of the split's gzip TFRecords.
        latency_calls: timed calls at batch 1, of each model.
        threads: threads one timed call may use.
        tfma_dir: where TFMA's results go, one folder a name.
        make_pipeline: makes the Beam pipeline that TFMA runs on.

    Returns:
        One score for each name, in order.
    """
    latencies = measure_latency_apart(list(version_dirs.values()), files, calls=latency_calls, threads=threads)
    return [
        Score(
            **measure_exported(folder, files=files, tfma_dir=tfma_dir / name, make_pipeline=make_pipeline).model_dump()
            | {"variant": name},
            latency=latency,
            sparsity=measure_sparsity(folder),
        )
        for (name, folder), latency in zip(version_dirs.items(), latencies, strict=True)
    ]


def measure_exported(
    version_dir: Path, *, files: Sequence[str], tfma_dir: Path, make_pipeline: Callable[[], Any]
) -> Measured:
    """Quality and size of one exported model; TFMA measures a SavedModel, `models.measure` a LiteRT file.

    TFMA can read LiteRT files too, but only ones whose inputs are features of the examples; ours take pixels.
    """
    litert = (version_dir / LITERT_FILE).is_file()
    if litert:
        quality = measure_quality(version_dir, files)
    else:
        from roadworthy.components.scorecard.tfma_quality import measure_tfma_quality

        quality = measure_tfma_quality(version_dir, files, out_dir=tfma_dir, make_pipeline=make_pipeline)
    size = measure_size(version_dir)
    return Measured(
        **quality.model_dump(),
        variant=ModelCard.read(version_dir).variant,
        uri=str(version_dir),
        format="litert" if litert else "saved_model",
        quality_source="litert" if litert else "tfma",
        size_bytes=size.raw_bytes,
        size_gzip_bytes=size.gzip_bytes,
    )
