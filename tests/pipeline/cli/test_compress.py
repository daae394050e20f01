import subprocess
import sys
from pathlib import Path

import pytest

from roadworthy.models.compression.presets import PRESETS
from roadworthy.pipeline.cli.compress import chosen_recipes
from roadworthy.serving.errors import ConfigError

ROADWORTHY = [sys.executable, "-m", "roadworthy.pipeline.cli.main"]
RECIPES = """
recipes:
  - name: mild
    steps: [{prune: {sparsity: 0.3}}]
  - name: mild-int8
    steps: [{prune: {sparsity: 0.3}}, {quantize: {}}]
"""


def roadworthy(*words: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run([*ROADWORTHY, *map(str, words)], capture_output=True, text=True, timeout=120, check=False)


def test_presets_and_files_of_recipes_may_be_mixed(tmp_path):
    path = tmp_path / "recipes.yaml"
    path.write_text(RECIPES)

    assert [recipe.name for recipe in chosen_recipes(["int8", str(path)])] == ["int8", "mild", "mild-int8"]


def test_a_recipe_that_is_nowhere_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"--recipe must be a YAML file of recipes, or one of int8, .*Received: imt8"):
        chosen_recipes(["imt8"])


def test_a_fault_in_a_file_of_recipes_is_found_by_line(tmp_path):
    path = tmp_path / "recipes.yaml"
    path.write_text("recipes:\n  - name: mild\n    steps: [{prune: {sparcity: 0.3}}]\n")

    with pytest.raises(ConfigError, match=r"recipes.yaml:3: .*sparcity is not a known key. Did you mean sparsity"):
        chosen_recipes([str(path)])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.keras", "--data", "photos", "--recipe", "int8"], "must be a whole .keras file"),
        (["nowhere.keras", "--data", "photos", "--recipe", "int8"], "nowhere.keras"),
        (["model.keras", "--data", "nowhere", "--recipe", "int8"], "nowhere"),
        (["model.keras", "--data", "photos", "--recipe", "int8", "--recipe", "int8"], "Named twice: int8"),
        (["model.keras", "--data", "photos"], "--recipe"),
    ],
    ids=["damaged model", "no model", "no data", "one recipe twice", "no recipe"],
)
def test_what_is_missing_is_named_and_nothing_is_written(words, said, tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(2):
            (tmp_path / "photos" / label / f"{number}.png").write_bytes(b"png")
    (tmp_path / "model.keras").write_bytes(b"model")
    before = set(tmp_path.rglob("*"))
    done = subprocess.run(
        [*ROADWORTHY, "compress", *words], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert set(tmp_path.rglob("*")) == before


def test_every_preset_is_listed_where_one_is_asked_for():
    done = roadworthy("compress", "--help")

    assert done.returncode == 0
    assert all(name in done.stdout for name in PRESETS)
