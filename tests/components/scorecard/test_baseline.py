from dataclasses import replace

import pytest

from contracts.digits import CARD, LABELS, write_examples, write_litert
from contracts.scores import score, scorecard
from roadworthy.components.scorecard.baseline import score_baseline
from roadworthy.components.scorecard.score import answers_file
from roadworthy.models.measure.answers import read_truth, write_answers
from roadworthy.models.measure.records import records_sha256


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return [f"{write_examples(tmp_path_factory.mktemp('examples'))}/Split-test/*"]


@pytest.fixture(scope="module")
def measured(tmp_path_factory, files):
    """A scorecard of an int8 variant, with its answers."""
    folder = tmp_path_factory.mktemp("scorecard")
    write_answers(
        write_litert(folder / "int8"), files, truth=read_truth(files), out=answers_file(folder, "int8"), batch_size=8
    )
    card = scorecard(score("int8")).model_copy(update={"labels": LABELS, "examples_sha256": records_sha256(files)})
    (folder / "scorecard.json").write_text(card.model_dump_json())
    return folder


def baseline(version_dir, measured, files, out_dir):
    return score_baseline(
        version_dir, scorecard_dir=measured, files=files, split="test", out_dir=out_dir, make_pipeline=None
    )


def test_variants_stand_beside_the_last_blessed_model_example_by_example(measured, files, tmp_path):
    found = baseline(write_litert(tmp_path / "last", int8=False), measured, files, tmp_path)
    assert 0.9 < found.parities["int8"].agreement <= 1
    assert 0 < found.parities["int8"].max_difference < 0.5
    assert found.left_out is None


def test_on_other_examples_no_variant_stands_beside_it(measured, tmp_path):
    files = [f"{write_examples(tmp_path / 'examples', {'train': 3, 'test': 15})}/Split-test/*"]
    found = baseline(write_litert(tmp_path / "last"), measured, files, tmp_path)
    assert found.model.examples == 60
    assert found.parities == {}


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (("one", "two", "three"), "it does not know zero"),
        ((*LABELS, "four", "five", "six", "seven"), "it also knows four, five, six and 1 more"),
        (("nought", "one", "two", "three"), "it does not know zero and it also knows nought"),
        (("one", "zero", "two", "three"), "its classes are in another order"),
    ],
    ids=["fewer", "more", "renamed", "shuffled"],
)
def test_a_last_blessed_model_of_other_classes_is_left_out_and_it_is_said(measured, files, tmp_path, known, said):
    last = write_litert(tmp_path / "last", card=replace(CARD, labels=known))
    found = baseline(last, measured, files, tmp_path)
    assert found.model is None
    assert found.left_out == f"The last blessed model can't be compared: {said}."
