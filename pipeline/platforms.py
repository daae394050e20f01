"""The platforms a pipeline is compiled for, by name. Imports nothing."""

from typing import Final, Literal

PlatformName = Literal["vertex", "kubeflow"]
PLATFORMS: Final[tuple[PlatformName, ...]] = ("vertex", "kubeflow")
