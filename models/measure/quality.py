"""Quality of a classifier from its answers: the one metric code, whatever format the answers come from."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from roadworthy.models.measure.answers import Truth
from roadworthy.models.measure.bootstrap import drop_interval, share_interval
from roadworthy.models.measure.results import Parity, Quality, Slice

Scores = npt.NDArray[np.float32]


def quality_of(scores: Scores, truth: Truth, labels: Sequence[str]) -> Quality:
    """Accuracy with its interval, recall, confusion and slices. The first of the highest scores is the answer.

    Args:
        scores: float32[examples, classes].
        truth: of the same examples, at least one; its labels in [0, classes).
        labels: the classes' names.
    """
    answered = scores.argmax(axis=1)
    counts = confusion(truth.labels, answered, classes=len(labels))
    right, of_class = counts.diagonal(), counts.sum(axis=1)
    return Quality(
        accuracy=int(right.sum()) / len(scores),
        interval=share_interval(int(right.sum()), len(scores)),
        recall={label: int(right[i]) / int(of_class[i]) for i, label in enumerate(labels) if of_class[i]},
        examples=len(scores),
        confusion=tuple(tuple(row) for row in counts.tolist()),
        slices=tuple(_slices(answered == truth.labels, truth)),
    )


def confusion(truth: npt.NDArray[np.int64], answered: npt.NDArray[np.int64], *, classes: int) -> npt.NDArray[np.int64]:
    """Counts true class against answered class.

    Args:
        truth: int64[examples], each in [0, classes).
        answered: int64[examples], likewise.
        classes: how many there are.

    Returns:
        int64[classes, classes], row by true class.
    """
    return np.bincount(truth * classes + answered, minlength=classes * classes).reshape(classes, classes)


def parity_of(parent: Scores, variant: Scores, truth: Truth) -> Parity:
    """A variant's answers beside its parent's, or beside those of any other model of the same classes.

    Args:
        parent: float32[examples, classes].
        variant: likewise, of the same examples.
        truth: of the same examples.
    """
    answered, parents = variant.argmax(axis=1), parent.argmax(axis=1)
    difference = np.abs(np.asarray(parent) - np.asarray(variant))
    return Parity(
        agreement=float(np.mean(answered == parents)),
        max_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        accuracy_drop=float(np.mean(parents == truth.labels) - np.mean(answered == truth.labels)),
        drop_interval=drop_interval(parents == truth.labels, answered == truth.labels),
    )


def slices_beside(parent: Scores, variant: Scores, truth: Truth, slices: Sequence[Slice]) -> tuple[Slice, ...]:
    """A variant's slices, each with the interval of what it lost against the parent's.

    Args:
        parent: float32[examples, classes].
        variant: likewise, of the same examples.
        truth: of the same examples.
        slices: the variant's, as `quality_of` gave them.
    """
    parents, own = (scores.argmax(axis=1) == truth.labels for scores in (parent, variant))

    def compared(one: Slice) -> Slice:
        members = truth.features[one.feature] == one.value
        return one.model_copy(update={"drop_interval": drop_interval(parents[members], own[members])})

    return tuple(compared(one) for one in slices)


def agrees(quality: Quality, *, accuracy: float, recall: Mapping[str, float], examples: int) -> bool:
    """Whether others found the same of a model, save for the few answers that turn with the company they are asked in.

    Whoever cuts the batches elsewhere adds floats in another order; the last digits can decide between two classes
    that are all but equal. One answer in a thousand may differ, and one in any case.

    Args:
        quality: what was found here.
        accuracy: what the others found.
        recall: theirs, by label.
        examples: theirs.
    """
    if examples != quality.examples or recall.keys() != quality.recall.keys():
        return False
    sizes = [size for size in map(sum, quality.confusion) if size]
    turned = [(accuracy - quality.accuracy) * examples]
    turned += [(recall[label] - own) * size for (label, own), size in zip(quality.recall.items(), sizes, strict=True)]
    return max(map(abs, turned)) < max(1, examples // 1000) + 0.5


def _slices(right: npt.NDArray[np.bool_], truth: Truth) -> Iterator[Slice]:
    for feature, values in truth.features.items():
        for value in np.unique(values):
            chosen = right[values == value]
            count = int(np.count_nonzero(chosen))
            yield Slice(
                feature=feature,
                value=str(value),
                examples=len(chosen),
                accuracy=count / len(chosen),
                interval=share_interval(count, len(chosen)),
            )
