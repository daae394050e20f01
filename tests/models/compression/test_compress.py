from pathlib import Path

import pytest

from contracts.recipe import LABELS, SIDE, check_recipe
from roadworthy.models.compression.compress import compress
from roadworthy.models.compression.recipe import Recipe
from roadworthy.serving.contract import LITERT_FILE, SAVED_MODEL_FILE, ModelCard
from roadworthy.serving.errors import DataError, ModelError

PRUNE = {"prune": {"sparsity": 0.5, "epochs": 2}}
QUANTIZE = {"quantize": {"calibration_images": 16}}


@pytest.mark.parametrize(
    ("steps", "file"),
    [([PRUNE], SAVED_MODEL_FILE), ([QUANTIZE], LITERT_FILE), ([PRUNE, QUANTIZE], LITERT_FILE)],
    ids=["prune", "quantize", "prune-quantize"],
)
def test_a_recipe_makes_a_variant_that_answers(steps, file, tmp_path):
    version = check_recipe(Recipe.model_validate({"name": "small", "steps": steps}), folder=tmp_path)
    assert (version / file).is_file()


def test_the_same_seed_makes_the_same_bytes(parent_file, train_files, tmp_path):
    files = [made(tmp_path / run, parent_file, train_files) / LITERT_FILE for run in ("one", "two")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_missing_parent_is_named_and_nothing_is_written(train_files, tmp_path):
    with pytest.raises(ModelError, match=r"nowhere\.keras"):
        made(tmp_path / "out", tmp_path / "nowhere.keras", train_files)
    assert not (tmp_path / "out").exists()


def test_a_missing_split_is_named_and_nothing_is_written(parent_file, tmp_path):
    with pytest.raises(DataError, match="Split-train"):
        made(tmp_path / "out", parent_file, [str(tmp_path / "Split-train" / "*")])
    assert not (tmp_path / "out").exists()


def made(out_dir: Path, keras_file: Path, train_files: list[str]) -> Path:
    compress(
        keras_file,
        recipe=Recipe.model_validate({"name": "small", "steps": [PRUNE, QUANTIZE]}),
        card=ModelCard(labels=LABELS, image_height=SIDE, image_width=SIDE),
        train_files=train_files,
        batch_size=8,
        seed=3,
        out_dir=out_dir,
    )
    return out_dir
