"""Recipes -> Compressor nodes. Recipes that begin alike share the nodes of what they have in common."""

from collections.abc import Mapping

from tfx.orchestration.data_types import RuntimeParameter
from tfx.types.channel import BaseChannel

from roadworthy.components.compressor.component import Compressor
from roadworthy.pipeline.config import RunConfig
from roadworthy.pipeline.parameters import epochs_of
from roadworthy.pipeline.recipe_steps import Steps, recipe_steps

_FIXED: Mapping[str, RuntimeParameter] = {}


def recipe_nodes(
    config: RunConfig, trained: BaseChannel, examples: BaseChannel, *, varying: Mapping[str, RuntimeParameter] = _FIXED
) -> dict[str, Compressor]:
    """One node a step, in the order of `recipe_steps`.

    Args:
        config: recipes, batch size, augmentation and seed.
        trained: the Trainer's Model.
        examples: Examples with the split `train`.
        varying: parameters that get their values when a run starts, by name.

    Returns:
        Node by id.
    """
    variants = {recipe.steps: recipe.name for recipe in config.compress.recipes}
    made: dict[Steps, Compressor] = {}
    for node_id, steps in recipe_steps(config.compress.recipes).items():
        made[steps] = Compressor(
            model=made[steps[:-1]].outputs["model"] if steps[:-1] else trained,
            trained=trained,
            examples=examples,
            steps=steps,
            variant=variants.get(steps, ""),
            batch_size=config.train.batch_size,
            augmentation=config.train.augmentation,
            seed=config.seed,
            module=config.trained.module if config.trained else None,
            epochs=varying.get(epochs_of(node_id)),
        ).with_id(node_id)
    return {node.id: node for node in made.values()}
