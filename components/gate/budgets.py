"""The limits a variant is held to, as frozen values. Imports no TensorFlow or TFX."""

from typing import Literal

from pydantic import Field

from roadworthy.models.config import Settings


class Budgets(Settings):
    """Limits on one variant; null leaves a limit out. Relative limits are against the parent model."""

    min_accuracy: float | None = Field(None, ge=0, le=1)
    max_quality_drop: float | None = Field(
        0.01, ge=0, le=1, description="Accuracy lost against the parent, and against the last blessed model; absolute."
    )
    max_size_ratio: float | None = Field(None, gt=0, description="Raw bytes over the parent's raw bytes.")
    max_size_bytes: int | None = Field(None, gt=0, description="Raw bytes of the exported model.")
    max_latency_p95_ms: float | None = Field(None, gt=0, description="p95 at batch 1, milliseconds.")
    max_latency_ratio: float | None = Field(None, gt=0, description="p95 at batch 1 over the parent's p95.")


class GateSettings(Settings):
    """What must hold, and which of the variants that hold it is chosen."""

    budgets: Budgets = Budgets()
    goal: Literal["smallest"] = Field("smallest", description="smallest: fewest gzipped bytes, then raw bytes.")
