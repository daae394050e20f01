import contextlib
import zipfile
from pathlib import Path

import keras
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roadworthy.models.keras_file import check_keras_file
from roadworthy.serving.errors import ModelError


def saved(path: Path, *layers: keras.layers.Layer) -> Path:
    keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(2)]).save(path)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    return saved(tmp_path_factory.mktemp("keras") / "model.keras").read_bytes()


def test_a_whole_file_passes(tmp_path, whole):
    (tmp_path / "model.keras").write_bytes(whole)
    check_keras_file(tmp_path / "model.keras")


def test_a_lambda_is_named_however_deep_it_lies(tmp_path):
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x, name="hidden")])
    with pytest.raises(ModelError, match=r"Lambda layers \['hidden'\].*never run"):
        check_keras_file(saved(tmp_path / "model.keras", inner))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"gone\.keras must be a whole"):
        check_keras_file(tmp_path / "gone.keras")


@pytest.mark.parametrize("name", ["model.h5", "renamed.keras"])
def test_the_older_format_is_told_by_its_name_and_how_to_leave_it(tmp_path, name):
    older = saved(tmp_path / "model.h5")
    with pytest.raises(ModelError, match=rf"{name} must be .*Received: an HDF5 file.*model\.save\('name\.keras'\)"):
        check_keras_file(older.rename(tmp_path / name))


def test_another_archive_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ModelError, match=r"without model\.weights\.h5"):
        check_keras_file(tmp_path / "model.keras")


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5"])
def test_an_archive_that_would_fill_memory_is_refused_unread(tmp_path, member):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr(({"config.json", "model.weights.h5"} - {member}).pop(), "{}")
        with archive.open(member, "w") as bomb:
            for _ in range(80):
                bomb.write(bytes(2**20))
    with pytest.raises(ModelError, match=rf"at most 100 times its size. Received: {member} of \d+ bytes"):
        check_keras_file(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_cut_file_is_always_refused(tmp_path, whole, data):
    path = tmp_path / "model.keras"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ModelError, match=r"must be a whole \.keras file"):
        check_keras_file(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_file_gives_no_other_error(tmp_path, whole, data):
    path = tmp_path / "model.keras"
    place, value = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
    # What the checksums do not cover may change and still be whole.
    with contextlib.suppress(ModelError):
        check_keras_file(path)
