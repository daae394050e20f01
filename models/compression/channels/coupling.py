"""Follows every channel of a network from where it is made to where it is used."""

from dataclasses import dataclass
from typing import Any

import keras

from roadworthy.models.bridge.graph import leaves, run
from roadworthy.models.compression.channels.partition import Channels, Partition
from roadworthy.models.compression.channels.rules import Call, Unfollowed, carry, gives_new_channels


@dataclass(frozen=True)
class Ports:
    """The channels that a layer takes, of its first input, and gives, along the last axis, by number."""

    taken: Channels
    given: Channels


@dataclass(frozen=True)
class Coupling:
    """The channels of a network.

    Attributes:
        ports: by the path of a layer with weights or a reshaping one, in the network's order.
        makers: paths of the layers that make channels, as a convolution does.
        partition: which channels leave together, and which have to stay.
    """

    ports: dict[str, Ports]
    makers: tuple[str, ...]
    partition: Partition


def couple(model: keras.Model) -> Coupling:
    """Numbers the channels of a model and finds those that can't leave without each other.

    Layers are not computed: tensors are stood for by their shapes and the numbers of their channels. Those of the
    model's inputs and outputs stay, and those that meet a layer without a rule.

    Raises:
        UnsupportedLayer: a model in it is subclassed.

    Reference: Fang et al. 2023, "DepGraph: Towards Any Structural Pruning", section 3.2,
    https://arxiv.org/abs/2301.12900; channels are numbered one by one here, so that concatenation needs no offsets.
    """
    tracer = _Tracer(model)
    images = [tracer.enter(tensor) for tensor in model.inputs]
    outputs = run(model, images[0] if len(images) == 1 else images, apply=tracer.apply)
    tracer.leave(outputs)
    makers = tuple(path for path, leaf in leaves(model).items() if gives_new_channels(leaf) and path in tracer.ports)
    return Coupling(tracer.ports, makers, tracer.partition)


class _Tracer:
    def __init__(self, model: keras.Model) -> None:
        self.partition = Partition()
        self.ports: dict[str, Ports] = {}
        self._paths = {id(leaf): path for path, leaf in leaves(model).items()}
        # Tensors are held as well, so that no other one gets the id of one that is gone.
        self._channels: dict[int, tuple[keras.KerasTensor, Channels]] = {}

    def enter(self, tensor: keras.KerasTensor) -> keras.KerasTensor:
        image = keras.KerasTensor(tensor.shape, tensor.dtype)
        self._hold(image, self._pinned(image, "it is the model's input"))
        return image

    def leave(self, outputs: Any) -> None:
        for tensor in keras.tree.flatten(outputs):
            self.partition.pin(self._of(tensor), "it gives the model's output")

    def apply(self, leaf: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        outputs = leaf.compute_output_spec(*args, **kwargs)
        path = self._paths[id(leaf)]
        flat = keras.tree.flatten((args, kwargs))
        tensors = [value for value in flat if isinstance(value, keras.KerasTensor)]
        numbers = tuple(value for value in flat if not isinstance(value, keras.KerasTensor))
        try:
            given = self._carry(leaf, path, tensors, numbers, outputs)
            self._hold(outputs, given)
        except Unfollowed as reason:
            self._give_up(path, tensors, outputs, reason=f"{path!r} {reason}")
        return outputs

    def _carry(
        self, leaf: keras.Operation, path: str, tensors: list[keras.KerasTensor], numbers: tuple[Any, ...], output: Any
    ) -> Channels:
        if not isinstance(output, keras.KerasTensor):
            raise Unfollowed("gives more than one tensor")
        channels = tuple(self._of(tensor) for tensor in tensors)
        earlier = self.ports.get(path)
        if earlier is not None:
            # A shared layer has one set of weights for all its calls.
            self._share(leaf, earlier, channels[0])
        if earlier is not None and gives_new_channels(leaf):
            return earlier.given
        shapes = tuple(tuple(tensor.shape) for tensor in tensors)
        given = carry(Call(leaf, shapes, channels, numbers, tuple(output.shape), self.partition))
        if getattr(leaf, "weights", None) or isinstance(leaf, keras.layers.Reshape):
            self.ports[path] = Ports(channels[0], given)
        return given

    def _share(self, leaf: keras.Operation, earlier: Ports, channels: Channels) -> None:
        if len(earlier.taken) != len(channels):
            raise Unfollowed("is shared between inputs of different widths")
        self.partition.join(earlier.taken, channels)

    def _give_up(self, path: str, tensors: list[keras.KerasTensor], outputs: Any, *, reason: str) -> None:
        for tensor in tensors:
            self.partition.pin(self._of(tensor), reason)
        flat = keras.tree.flatten(outputs)
        for tensor in flat:
            self._hold(tensor, self._pinned(tensor, reason))
        if tensors and flat:
            self.ports[path] = Ports(self._of(tensors[0]), self._of(flat[0]))

    def _pinned(self, tensor: keras.KerasTensor, reason: str) -> Channels:
        channels = self.partition.new(tensor.shape[-1] or 0 if len(tensor.shape) > 1 else 0)
        self.partition.pin(channels, reason)
        return channels

    def _hold(self, tensor: keras.KerasTensor, channels: Channels) -> None:
        self._channels[id(tensor)] = (tensor, channels)

    def _of(self, tensor: keras.KerasTensor) -> Channels:
        return self._channels[id(tensor)][1]
