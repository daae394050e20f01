"""Reads what ExampleValidator found wrong with the examples."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import anomalies_pb2

from roadworthy.serving.errors import DataError

SPLIT_PREFIX: Final = "Split-"
ANOMALIES_FILE: Final = "SchemaDiff.pb"
WHOLE_SPLIT: Final = "(all features)"


@dataclass(frozen=True, slots=True, order=True)
class Anomaly:
    """One way in which one feature of a split departs from the schema."""

    split: str
    feature: str
    reason: str


def checked_splits(uri: str) -> list[str]:
    """The splits an ExampleAnomalies artifact speaks of, sorted."""
    return sorted(path.name.removeprefix(SPLIT_PREFIX) for path in Path(uri).glob(f"{SPLIT_PREFIX}*"))


def anomalies_in(uri: str) -> list[Anomaly]:
    """Lists the anomalies of every split, sorted.

    Args:
        uri: folder of an ExampleAnomalies artifact: `Split-<name>/SchemaDiff.pb`.

    Raises:
        DataError: the folder holds no splits, or a file of it can't be read; the message names it.
    """
    splits = checked_splits(uri)
    if not splits:
        raise DataError(f"{uri} must hold anomalies written by ExampleValidator. Received: no {SPLIT_PREFIX}… folder.")
    return sorted(anomaly for split in splits for anomaly in _of_split(uri, split))


def refuse(anomalies: list[Anomaly]) -> None:
    """Stops the run when there is any anomaly.

    Raises:
        DataError: lists split, feature and reason of each.
    """
    if anomalies:
        listed = "\n".join(f"  {found.split}: {found.feature}: {found.reason}" for found in anomalies)
        raise DataError(
            f"The examples must fit the schema. Anomalies received: {len(anomalies)}. "
            f"Mend the data, or the schema where it is too strict.\n{listed}"
        )


def _of_split(uri: str, split: str) -> list[Anomaly]:
    found = _read(Path(uri, f"{SPLIT_PREFIX}{split}", ANOMALIES_FILE))
    anomalies = [
        Anomaly(split, feature, _told(reason))
        for feature, info in found.anomaly_info.items()
        for reason in info.reason or [info]  # Some have one description of their own and no list of reasons.
    ]
    anomalies += [Anomaly(split, WHOLE_SPLIT, _told(reason)) for reason in found.dataset_anomaly_info.reason]
    return [*anomalies, Anomaly(split, WHOLE_SPLIT, "No examples.")] if found.data_missing else anomalies


def _read(path: Path) -> anomalies_pb2.Anomalies:
    try:
        return anomalies_pb2.Anomalies.FromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise DataError(f"{path} must be anomalies written by ExampleValidator. Received: {error}.") from error


def _told(reason: anomalies_pb2.AnomalyInfo | anomalies_pb2.AnomalyInfo.Reason) -> str:
    return f"{reason.short_description}. {reason.description}".strip()
