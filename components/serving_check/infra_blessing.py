"""An infra blessing as TFX keeps it, so that its own Pusher understands ours."""

from pathlib import Path
from typing import Any, Final

# tfx.components.infra_validator.executor and tfx.components.pusher.executor, whose names for them are private.
BLESSED_FILE: Final = "INFRA_BLESSED"
NOT_BLESSED_FILE: Final = "INFRA_NOT_BLESSED"
BLESSED: Final = "blessed"
HAS_MODEL: Final = "has_model"


def write_infra_blessing(blessing: Any, *, blessed: bool, has_model: bool) -> None:
    """Marks an InfraBlessing artifact, by file and by custom properties.

    Args:
        blessing: the artifact; its folder is there.
        blessed: whether the model may be pushed.
        has_model: whether `stamped_model/` in it is the model to push.
    """
    (Path(blessing.uri) / (BLESSED_FILE if blessed else NOT_BLESSED_FILE)).touch()
    blessing.set_int_custom_property(BLESSED, int(blessed))
    blessing.set_int_custom_property(HAS_MODEL, int(has_model))


def is_infra_blessed(blessing: Any) -> bool:
    """Whether an InfraBlessing artifact blesses its model."""
    return bool(blessing.get_int_custom_property(BLESSED) == 1)


def has_model(blessing: Any) -> bool:
    """Whether an InfraBlessing artifact holds the model to push, warm-up records included."""
    return bool(blessing.get_int_custom_property(HAS_MODEL) == 1)
