"""Which layer of a network feeds which."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from roadworthy.models.bridge.graph import leaves, run


@dataclass(frozen=True)
class Link:
    """What surrounds a layer that is called once with one tensor, and trained or not as the model is.

    Attributes:
        feeder: path of the layer that makes its input; None for the model's input.
        readers: paths of the layers that read its output, once a call; None stands for the model's output.
    """

    feeder: str | None
    readers: tuple[str | None, ...]


@dataclass(frozen=True)
class _Call:
    """One call of a layer: what it was given, what it gave, and whether the graph fixes it to train."""

    tensors: Sequence[Any]
    outputs: Sequence[Any]
    training: bool


def links(model: keras.Model) -> dict[str, Link]:
    """The surroundings, by path, of every layer that is called once, with one tensor, and not always as in training.

    Raises:
        UnsupportedLayer: a model in it is subclassed.
    """
    calls, outputs = _walk(model)
    makers = {id(tensor): path for path, made in calls.items() for call in made for tensor in call.outputs}
    readers: dict[int, list[str | None]] = {}
    for path, made in calls.items():
        for tensor in (tensor for call in made for tensor in call.tensors):
            readers.setdefault(id(tensor), []).append(path)
    for tensor in outputs:
        readers.setdefault(id(tensor), []).append(None)
    plain = {path: made[0] for path, made in calls.items() if len(made) == 1 and _is_plain(made[0])}
    return {
        path: Link(makers.get(id(call.tensors[0])), tuple(readers.get(id(call.outputs[0]), ())))
        for path, call in plain.items()
    }


def _is_plain(call: _Call) -> bool:
    return len(call.tensors) == 1 and len(call.outputs) == 1 and not call.training


def _walk(model: keras.Model) -> tuple[dict[str, list[_Call]], list[Any]]:
    """Every call of every layer, by its path, in the graph's order; and the model's outputs."""
    paths = {id(leaf): path for path, leaf in leaves(model).items()}
    calls: dict[str, list[_Call]] = {}

    def note(leaf: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        output = leaf.compute_output_spec(*args, **kwargs)
        tensors = [value for value in keras.tree.flatten((args, kwargs)) if isinstance(value, keras.KerasTensor)]
        call = _Call(tensors, keras.tree.flatten(output), kwargs.get("training") is True)
        calls.setdefault(paths[id(leaf)], []).append(call)
        return output

    images = [keras.KerasTensor(tensor.shape, tensor.dtype) for tensor in model.inputs]
    outputs = run(model, images[0] if len(images) == 1 else images, apply=note)
    return calls, keras.tree.flatten(outputs)
