"""Scores as the scorecard would measure them, for those who judge and show them."""

from roadworthy.components.scorecard.card import Score, Scorecard
from roadworthy.models.measure.results import Interval, Latency, LayerWeights, Parity, Slice


def score(
    variant: str = "int8",
    *,
    accuracy: float = 0.85,
    size: int = 250,
    gzipped: int = 200,
    p95_ms: float = 4.0,
    examples: int = 1000,
    drop: tuple[float, float, float] | None = None,
    slices: dict[str, float] | None = None,
    slice_drops: dict[str, tuple[float, float]] | None = None,
) -> Score:
    """One model; `drop` is against its parent, with the ends of its interval; `slice_drops` are intervals alone."""
    surely = Interval(low=accuracy - 1e-4, high=accuracy + 1e-4)
    return Score(
        variant=variant,
        uri=f"/{variant}",
        format="litert",
        accuracy=accuracy,
        interval=surely,
        recall={"cat": accuracy, "dog": max(0, accuracy - 0.2)},
        examples=examples,
        confusion=((examples - 3, 1), (2, 0)),
        slices=tuple(
            Slice(
                feature="kind",
                value=value,
                examples=10,
                accuracy=share,
                interval=surely,
                drop_interval=_interval((slice_drops or {}).get(value)),
            )
            for value, share in (slices or {}).items()
        ),
        quality_source="litert",
        size_bytes=size,
        size_gzip_bytes=gzipped,
        size_zstd_bytes=gzipped,
        latency=Latency(
            p50_ms=p95_ms / 2, p95_ms=p95_ms, p99_ms=p95_ms, calls=100, threads=1, batch=32, images_per_s=1e3 / p95_ms
        ),
        peak_memory_bytes=10**8,
        sparsity=0.5,
        layers=(
            LayerWeights(
                name="conv/kernel", shape=(3, 4), dtype="int8", weights=12, zeros=6, unique=5, unique_per_channel=3
            ),
        ),
        parity=None if drop is None else parity(*drop),
    )


def _interval(ends: tuple[float, float] | None) -> Interval | None:
    return None if ends is None else Interval(low=ends[0], high=ends[1])


def parity(drop: float, low: float, high: float) -> Parity:
    """A variant that lost so much accuracy, give or take."""
    return Parity(
        agreement=0.95,
        max_difference=0.4,
        mean_difference=0.01,
        accuracy_drop=drop,
        drop_interval=Interval(low=low, high=high),
    )


def scorecard(*variants: Score, **parent) -> Scorecard:
    """A parent, larger and slower than its variants, and these."""
    parent = {"accuracy": 0.86, "size": 1000, "gzipped": 900, "p95_ms": 8.0} | parent
    return Scorecard(split="test", labels=("cat", "dog"), parent=score("parent", **parent), variants=variants)
