"""Photos of 640 px a side, in folders as our ingest takes them: cuttings of the two that scikit-learn ships."""

import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

SIDE: Final = 640
QUALITY: Final = 90
# All are links to so many: they cost as much to read, check and write, and nothing to make.
DISTINCT: Final = 1_000
_CLASSES: Final = ("temple", "flower")


def write_photos(root: Path, count: int) -> int:
    """Writes so many photos, half of each class, unless they are there already; gives their mean size in bytes."""
    made = root.parent / "distinct"
    for folder in (made, root):
        for name in _CLASSES:
            (folder / name).mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(DISTINCT) if not path_of(made, number).exists()]
    with ProcessPoolExecutor() as pool:
        list(pool.map(write_photo, [made] * len(missing), missing, chunksize=16))
    for number in range(count):
        if not path_of(root, number).exists():
            os.link(path_of(made, number % DISTINCT), path_of(root, number))
    return sum(path_of(root, number).stat().st_size for number in range(count)) // count


def path_of(root: Path, number: int) -> Path:
    """Where a photo is."""
    return root / _CLASSES[number % len(_CLASSES)] / f"{number:06}.jpg"


def write_photo(root: Path, number: int) -> None:
    """Cuts, mirrors, enlarges and brightens a photo by chance."""
    rng = np.random.default_rng(number)
    photo = Image.fromarray(load_sample_images().images[number % len(_CLASSES)])
    side = rng.integers(300, 427)
    left, top = rng.integers(0, photo.width - side), rng.integers(0, photo.height - side)
    square = np.asarray(photo.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    mirrored = square[:, ::-1] if number % 4 > 1 else square
    # A camera's noise, without which an enlarged cutting would be cheaper to decode than a photo.
    noisy = mirrored * rng.uniform(0.8, 1.2) + rng.normal(0, 4, mirrored.shape)
    Image.fromarray(np.uint8(np.clip(noisy, 0, 255))).save(path_of(root, number), quality=QUALITY)
