from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

TILE = 40


@pytest.fixture(scope="session")
def tiles() -> list[Image.Image]:
    """Different squares of two real photos, of a temple and of a flower in turn."""
    rows = range(0, 400, TILE)
    columns = range(0, 600, TILE)
    photos: list[np.ndarray] = load_sample_images().images
    return [Image.fromarray(photo[y : y + TILE, x : x + TILE]) for y in rows for x in columns for photo in photos]


WritePhotos = Callable[[Path, Mapping[str, int]], Path]


@pytest.fixture
def write_photos(tiles: list[Image.Image]) -> WritePhotos:
    """Writes so many PNG tiles a class below a folder, every tile another one."""

    def write(root: Path, classes: Mapping[str, int]) -> Path:
        unused = iter(tiles)
        for name, count in classes.items():
            (root / name).mkdir(parents=True)
            for number in range(count):
                next(unused).save(root / name / f"{number}.png")
        return root

    return write
