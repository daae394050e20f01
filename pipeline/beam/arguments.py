"""Beam's pipeline options for this machine."""

from typing import Final

RUNNER: Final = "roadworthy.pipeline.beam.runner.LocalRunner"
# Where no image is named that holds TFX, TFX packs itself anew for every Beam node, which takes seconds.
_NO_PACKAGE: Final = "--sdk_container_image=none"


def beam_arguments(workers: int) -> list[str]:
    """Options for so many processes; 1 is the caller's own."""
    mode = "in_memory" if workers == 1 else "multi_processing"
    return [f"--runner={RUNNER}", f"--direct_running_mode={mode}", f"--direct_num_workers={workers}", _NO_PACKAGE]
