"""A blessing as TFX keeps it, so that its own components and strategies understand ours."""

from pathlib import Path
from typing import Any, Final

# tfx.components.evaluator.constants, which can't be imported without TFMA; a test holds them equal.
BLESSED_FILE: Final = "BLESSED"
NOT_BLESSED_FILE: Final = "NOT_BLESSED"
BLESSED: Final = "blessed"
CURRENT_MODEL: Final = "current_model"
CURRENT_MODEL_ID: Final = "current_model_id"


def write_blessing(blessing: Any, model: Any | None) -> None:
    """Marks a ModelBlessing artifact, by file and by custom properties.

    Args:
        blessing: the artifact; its folder is there.
        model: the blessed Model artifact, as it was an input; the one `LatestBlessedModelStrategy` finds from now on.
            None when no model is blessed.
    """
    (Path(blessing.uri) / (BLESSED_FILE if model else NOT_BLESSED_FILE)).touch()
    blessing.set_int_custom_property(BLESSED, int(model is not None))
    if model is not None:
        blessing.set_string_custom_property(CURRENT_MODEL, model.uri)
        blessing.set_int_custom_property(CURRENT_MODEL_ID, model.id)


def is_blessed(blessing: Any) -> bool:
    """Whether a ModelBlessing artifact blesses its model."""
    return bool(blessing.get_int_custom_property(BLESSED) == 1)
