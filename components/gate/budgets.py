"""The limits a variant is held to, as frozen values. Imports no TensorFlow or TFX."""

from collections.abc import Mapping
from typing import Literal

import yaml
from pydantic import Field

from roadworthy.components.gate.limits import LatencyLimit, QualityLimit, SizeLimit
from roadworthy.models.config import Settings


class Budgets(Settings):
    """Limits on one variant; null leaves a limit out. Percentages are of the parent's value."""

    min_accuracy: QualityLimit | None = Field(None, description="0.8, or a percentage of the parent's: 98%.")
    max_quality_drop: QualityLimit | None = Field(
        0.01,
        description="Accuracy lost against the parent, and against the last blessed model: 0.01 (a point), or 1% of "
        "theirs. A loss inside the noise is none.",
    )
    min_slice_quality: QualityLimit | None = Field(
        None, description="Accuracy of every slice: 0.6, or a percentage of the parent's on the same slice: 95%."
    )
    max_size: SizeLimit | None = Field(None, description="Bytes of the exported model: 4 MB, or 30% of the parent's.")
    max_latency_p95: LatencyLimit | None = Field(None, description="p95 at batch 1: 5 ms, or 50% of the parent's.")


class GateSettings(Settings):
    """What must hold, and which of the variants that hold it is chosen."""

    budgets: Budgets = Budgets()
    goal: Literal["smallest", "fastest", "best"] = Field(
        "smallest", description="smallest: fewest gzipped bytes; fastest: lowest p95; best: highest accuracy."
    )

    def with_budgets(self, written: Mapping[str, str]) -> "GateSettings":
        """The settings with other budgets.

        Args:
            written: by name, each as one would write it in the YAML file: `30%`, `0.01`, `null`.

        Raises:
            ValueError: a name or a value that is none of a budget.
        """
        values = {name: yaml.safe_load(text) for name, text in written.items()}
        return self.model_copy(update={"budgets": Budgets.model_validate({**dict(self.budgets), **values})})
