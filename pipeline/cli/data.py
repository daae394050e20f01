"""`roadworthy data`: a public dataset as a folder a class."""

from pathlib import Path
from typing import Literal

import click


@click.command(epilog="Example: roadworthy data fashion-mnist --split test --images-per-class 2 --out data/asked")
@click.argument("dataset")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write; one folder a class.")
@click.option("--split", type=click.Choice(["train", "test"]), default="train", show_default=True)
@click.option("--images-per-class", type=click.IntRange(min=1), help="The first so many of each class; default all.")
def data(dataset: str, out: Path, split: Literal["train", "test"], images_per_class: int | None) -> None:
    """Write a public dataset as a folder of images a class; downloads are kept in `downloads` beside it."""
    from roadworthy.pipeline.datasets.catalog import DATASETS

    if dataset not in DATASETS:
        raise click.BadParameter(f"{dataset!r} is not one of: {', '.join(DATASETS)}.", param_hint="DATASET")
    out = out.resolve()
    fetch = DATASETS[dataset]
    fetched = fetch(out, split=split, images_per_class=images_per_class, cache_dir=out.parent / "downloads")
    done = "already there" if fetched.skipped else "written"
    click.echo(f"{out}: {fetched.images} images of {len(fetched.classes)} classes {done}.")
