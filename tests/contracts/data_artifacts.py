"""What two artifacts of the data nodes differ in: a runner may change nothing."""

import hashlib
import math
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from tensorflow_metadata.proto.v0 import statistics_pb2

# Means depend on the order in which they were added up.
_RELATIVE = 1e-9


def differing_files(one: Path, other: Path) -> list[str]:
    """Paths within two folders that only one of them has, or with other bytes."""
    return sorted({path for path, _ in _hashes(one).items() ^ _hashes(other).items()})


def differing_figures(one: Path, other: Path) -> list[str]:
    """Figures of two statistics artifacts, by their path in the message, that differ by more than rounding.

    Raises:
        AssertionError: there are none, as the artifacts are empty.
    """
    first, second = _figures(one), _figures(other)
    assert first or second
    return sorted(path for path in first.keys() | second.keys() if not _same(first.get(path), second.get(path)))


def _hashes(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _figures(statistics: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for path in sorted(statistics.glob("Split-*/FeatureStats.pb")):
        message = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())
        (dataset,) = message.datasets
        for feature in dataset.features:
            figures |= _flat(json_format.MessageToDict(feature), f"{path.parent.name}/{feature.path.step[0]}")
        figures[f"{path.parent.name}/examples"] = dataset.num_examples
    return figures


def _flat(value: Any, path: str) -> dict[str, Any]:
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return {key: found for name, part in pairs for key, found in _flat(part, f"{path}.{name}").items()}
    return {path: value}


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_RELATIVE)
    return bool(one == other)
