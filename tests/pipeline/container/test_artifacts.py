"""Remote artifacts, on TensorFlow's file system in memory: another file system than the local one, with URIs."""

from pathlib import Path

import pytest
from tfx.dsl.io import fileio
from tfx.types.standard_artifacts import Model, ModelBlessing

from roadworthy.pipeline.container.artifacts import make_output_folders, on_this_machine


def write(uri: str, text: str) -> None:
    fileio.makedirs(uri.rpartition("/")[0])
    with fileio.open(uri, "w") as file:
        file.write(text)


def read(uri: str) -> str:
    with fileio.open(uri) as file:
        return file.read()


def model(uri: str) -> Model:
    made = Model()
    made.uri = uri
    return made


@pytest.fixture
def root(request) -> str:
    return f"ram://{request.node.name}"


def test_inputs_are_folders_and_outputs_go_back(root):
    write(f"{root}/in/Format-Serving/saved_model.pb", "graph")
    write(f"{root}/in/card.json", "{}")
    given, made = model(f"{root}/in"), model(f"{root}/out")

    with on_this_machine({"model": [given]}, {"model": [made]}):
        folder = Path(given.uri)
        assert (folder / "Format-Serving" / "saved_model.pb").read_text() == "graph"
        Path(made.uri, "deep").mkdir()
        Path(made.uri, "deep", "weights").write_text("1 2 3")
        Path(made.uri, "EMPTY").touch()

    assert (given.uri, made.uri) == (f"{root}/in", f"{root}/out")
    assert read(f"{root}/out/deep/weights") == "1 2 3"
    assert fileio.exists(f"{root}/out/EMPTY")
    assert not folder.exists()


def test_a_node_that_fails_uploads_nothing(root):
    made = model(f"{root}/out")

    def fail() -> None:
        with on_this_machine({}, {"model": [made]}):
            Path(made.uri, "half").write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert made.uri == f"{root}/out"
    assert not fileio.exists(f"{root}/out/half")


def test_what_a_blessing_says_of_its_model_is_the_models_own_uri(root):
    write(f"{root}/model/x", "x")
    given, blessing = model(f"{root}/model"), ModelBlessing()
    blessing.uri = f"{root}/blessing"

    with on_this_machine({"model": [given]}, {"blessing": [blessing]}):
        blessing.set_string_custom_property("current_model", given.uri)

    assert blessing.get_string_custom_property("current_model") == f"{root}/model"


def test_local_artifacts_stay_where_they_are(tmp_path):
    given, made = model(str(tmp_path / "in")), model(str(tmp_path / "out"))

    with on_this_machine({"model": [given]}, {"model": [made]}):
        make_output_folders({"model": [made]})
        assert given.uri == str(tmp_path / "in")
        assert Path(made.uri).is_dir()


def test_an_input_without_artifacts_is_none(root):
    with on_this_machine({"model": []}, {}):
        pass
