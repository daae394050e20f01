"""Variants as inputs of a component: one named input each, so that every runner can wire them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tfx.types.channel import BaseChannel
from tfx.types.component_spec import ChannelParameter, ComponentSpec
from tfx.types.standard_artifacts import Model

_PREFIX: Final = "variant_"


def with_variants(spec_class: type[ComponentSpec], variants: Mapping[str, BaseChannel]) -> type[ComponentSpec]:
    """A spec like the given one that has one Model input more for each variant.

    A union of channels would do locally, but Kubeflow knows only inputs with a name and one producer.

    Raises:
        ValueError: no variant is given.
    """
    if not variants:
        raise ValueError("variants must hold at least one recipe's Model channel. Received: none.")
    inputs = {input_key(name): ChannelParameter(type=Model) for name in variants}
    return type(spec_class.__name__, (spec_class,), {"INPUTS": {**spec_class.INPUTS, **inputs}})


def variant_channels(variants: Mapping[str, BaseChannel]) -> dict[str, BaseChannel]:
    """The channels under the names the spec gives them."""
    return {input_key(name): channel for name, channel in variants.items()}


def variant_models(input_dict: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """A running component's variants: recipe name -> Model artifact, by name."""
    keys = sorted(key for key in input_dict if key.startswith(_PREFIX))
    return {key.removeprefix(_PREFIX).replace("_", "-"): input_dict[key][0] for key in keys}


def input_key(name: str) -> str:
    """The input's name for a recipe. A recipe's name has no underscore, so that this can be turned back."""
    return _PREFIX + name.replace("-", "_")
