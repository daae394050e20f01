"""Recipes -> the steps of every Compressor node, by its id. Imports neither TensorFlow nor TFX."""

from collections.abc import Iterable, Iterator

from roadworthy.models.compression.recipe import Recipe, Step

Steps = tuple[Step, ...]


def recipe_steps(recipes: Iterable[Recipe]) -> dict[str, Steps]:
    """A node's steps, up to and with the one it takes, in an order in which every node follows the one it starts from.

    The last step of a recipe is the node `Compressor.<recipe>`, which exports the variant; a step on the way is
    `Compressor.<recipe>.<place>-<kind>`, with the name of the first recipe that takes it, unless it is itself the last
    of another recipe.
    """
    listed = tuple(recipes)
    variants = {recipe.steps: recipe.name for recipe in listed}
    made: dict[Steps, str] = {}
    for recipe, steps in _prefixes(listed):
        if steps not in made:
            made[steps] = variant_id(variants[steps]) if steps in variants else _on_the_way(recipe.name, steps)
    return {node_id: steps for steps, node_id in made.items()}


def variant_id(name: str) -> str:
    """The id of the node that exports a recipe's variant."""
    return f"Compressor.{name}"


def _on_the_way(name: str, steps: Steps) -> str:
    return f"{variant_id(name)}.{len(steps)}-{steps[-1].kind}"


def _prefixes(recipes: Iterable[Recipe]) -> Iterator[tuple[Recipe, Steps]]:
    """Every recipe's steps up to each of them."""
    for recipe in recipes:
        for place in range(1, len(recipe.steps) + 1):
            yield recipe, recipe.steps[:place]
