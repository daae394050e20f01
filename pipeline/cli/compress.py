"""`roadworthy compress`: a Keras file, made smaller by recipes and measured beside what it was."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from roadworthy.models.compression.recipe import Recipe
    from roadworthy.pipeline.config import RunConfig


# What the command line calls the keys of a run's config.
_WORDS: Final = {"trained.path": "MODEL", "trained.module_file": "--module-file", "data.path": "--data"}
EXAMPLES: Final = """Examples:

roadworthy compress digits.keras --data photos --recipe int8 --recipe pruned-int8

roadworthy compress digits.keras --data photos --recipe recipes.yaml --pixels 0..1

roadworthy compress shop.keras --data photos --recipe qat --module-file layers.py"""


@click.command(epilog=EXAMPLES)
@click.argument("model", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--recipe",
    "recipes",
    multiple=True,
    required=True,
    metavar="NAME|FILE",
    help="A preset's name, or a YAML file with a list `recipes` as in a run's config. May be given again.",
)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder with one folder a class.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: <MODEL>-compressed]")
@click.option(
    "--pixels",
    type=click.Choice(["0..255", "0..1", "-1..1"]),
    default="0..255",
    show_default=True,
    help="Range of the pixels the model takes.",
)
@click.option(
    "--module-file",
    type=click.Path(path_type=Path),
    help="Python file to run first: it registers the model's own layers.",
)
@click.option("--batch-size", type=click.IntRange(1, 65536), default=64, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option("--dry-run", is_flag=True, help="Check everything, list the nodes; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON document on stdout.")
def compress(
    model: Path,
    recipes: tuple[str, ...],
    data: Path,
    out: Path | None,
    pixels: str,
    module_file: Path | None,
    batch_size: int,
    seed: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Compress a trained Keras image classifier and measure every variant beside it.

    Fine-tuning and calibration use six tenths of the images, the measurements three. The data's classes in alphabetical
    order are the model's outputs. Steps whose inputs have not changed come from the cache. Every variant ends in
    OUT/models/<recipe>/<version>, a model root that `roadworthy serve` and TF Serving take.

    Presets: int8, int8-weights, float16, int16x8, pruned, pruned-int8, clustered, clustered-int8, qat, pqat, cqat,
    pcqat, narrow, narrow-folded, narrow-int8, folded, litert.
    """
    from roadworthy.pipeline.cli.console import libraries_to, quieten_tensorflow
    from roadworthy.pipeline.cli.run import list_nodes, run_and_tell
    from roadworthy.pipeline.preflight import check_inputs, check_trained

    config = _config(
        chosen_recipes(recipes),
        output=out or model.with_name(f"{model.stem}-compressed"),
        trained={"path": model.resolve(), "pixels": pixels, "module_file": module_file and module_file.resolve()},
        data={"path": data.resolve()},
        train={"batch_size": batch_size},
        seed=seed,
    )
    settings = check_inputs(config, told=_told)
    quieten_tensorflow()
    with libraries_to(Path(os.devnull), machine_stdout=as_json) as terminal:
        print(f"reading {model} …", file=terminal)
        check_trained(settings, told=_told)
    if dry_run:
        list_nodes(settings)
    else:
        run_and_tell(settings, as_json=as_json, all_variants=settings.output / "models")


def _told(key: str) -> str:
    return _WORDS.get(key, key)


def chosen_recipes(given: Sequence[str]) -> "tuple[Recipe, ...]":
    """Presets by name, and all recipes of the files, in the order given.

    Raises:
        ConfigError: no preset or file has that name, or a file has a fault.
    """
    from roadworthy.models.compression.presets import PRESETS
    from roadworthy.pipeline.config import load_recipes
    from roadworthy.serving.errors import ConfigError

    chosen: list[Recipe] = []
    for word in given:
        if word in PRESETS:
            chosen.append(PRESETS[word])
        elif Path(word).is_file():
            chosen.extend(load_recipes(Path(word)))
        else:
            raise ConfigError(
                f"--recipe must be a YAML file of recipes, or one of {', '.join(PRESETS)}. Received: {word}."
            )
    return tuple(chosen)


def _config(recipes: "tuple[Recipe, ...]", *, output: Path, **sections: object) -> "RunConfig":
    from pydantic import ValidationError

    from roadworthy.pipeline.config import RunConfig
    from roadworthy.serving.errors import ConfigError

    try:
        return RunConfig.model_validate(
            {"name": "compressed", "output": output.resolve(), "compress": {"recipes": recipes}, **sections}
        )
    except ValidationError as error:
        faults = "; ".join(fault["msg"] for fault in error.errors())
        raise ConfigError(faults) from error
