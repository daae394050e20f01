"""What ingesting found out about the images, and when it is a reason to stop."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from roadworthy.serving.errors import DataError

BAD_IMAGES_FILE: Final = "bad_images.json"
SHOWN: Final = 10


@dataclass(frozen=True, slots=True, order=True)
class BadImage:
    """A file that can't be used as an image: its path relative to the data folder, and why."""

    path: str
    reason: str


def refuse_too_many_bad(bad: Sequence[BadImage], *, total: int, max_bad_fraction: float, root: Path | str) -> None:
    """Stops when more images are bad than a run may silently leave out.

    Args:
        bad: the bad images, in the order they are listed.
        total: images found, good and bad.
        max_bad_fraction: largest share of bad images that is tolerated, in [0, 1).
        root: the data folder.

    Raises:
        DataError: the share is above `max_bad_fraction`; the message lists the first ten with their reasons.
    """
    if len(bad) <= max_bad_fraction * total:
        return
    listed = "\n".join(f"  {image.path}: {image.reason}" for image in bad[:SHOWN])
    more = f"\n  … and {len(bad) - SHOWN:,} more" if len(bad) > SHOWN else ""
    raise DataError(
        f"{root} must not have more than {max_bad_fraction:.2%} of its images unreadable (max_bad_fraction). "
        f"Received: {len(bad):,} of {total:,} ({len(bad) / total:.2%}). Mend or remove them; a run with a higher "
        f"max_bad_fraction leaves them out and lists all of them in {BAD_IMAGES_FILE}.\n{listed}{more}"
    )


def refuse_gaps(
    counts: Mapping[tuple[str, str], int], *, splits: Sequence[str], labels: Sequence[str], root: Path | str
) -> None:
    """Stops when there is nothing to learn a class from, or a split is empty.

    Args:
        counts: good images by split and label; pairs without images may be left out.
        splits: the splits; the first one is trained on.
        labels: the classes.
        root: the data folder.

    Raises:
        DataError: a class has no image in the first split, or a split has no image; the message names them.
    """
    train = splits[0]
    untaught = [label for label in labels if not counts.get((train, label))]
    if untaught:
        raise DataError(
            f"{root} must have an image of every class in the {train} split. Received: none of {', '.join(untaught)}. "
            f"Add images of it, or give {train} a larger share in data.splits."
        )
    for split in splits:
        if not any(counts.get((split, label)) for label in labels):
            raise DataError(
                f"{root} must have images for the {split} split. Received: {sum(counts.values()):,} images, none of "
                f"which fell in it. Add images, or give {split} a larger share in data.splits."
            )


def labels_json(labels: Sequence[str]) -> str:
    """The content of `labels.json`: a list in which a label's place is its index."""
    return json.dumps(list(labels), ensure_ascii=False, indent=2) + "\n"


def bad_images_json(bad: Sequence[BadImage], *, total: int) -> str:
    """The content of `bad_images.json`: how many images were checked, and each bad one."""
    return json.dumps({"checked": total, "bad": [asdict(image) for image in bad]}, indent=2) + "\n"
