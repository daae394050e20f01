"""Checkpoints that PyTorch wrote are read as PyTorch would; all others are refused, whatever is in them."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from roadworthy.models.backbones.torch_checkpoint import read_checkpoint
from roadworthy.serving.errors import WeightsError

FOLDER = Path(__file__).parents[2] / "testdata" / "checkpoints"
FORMATS = ("zip", "legacy")


class RunsCode:
    """A pickle of this asks its reader to call `os.system`."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("exit 1",)


def legacy(state: bytes) -> bytes:
    """An old-format checkpoint around a pickled state."""
    head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    return b"".join(pickle.dumps(part, 2) for part in head) + state + pickle.dumps([], 2)


@pytest.mark.parametrize("form", FORMATS)
def test_every_tensor_is_read_in_order_with_its_values_type_and_layout(form: str) -> None:
    tensors = read_checkpoint(FOLDER / f"{form}.pth")
    kernel = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert list(tensors) == ["kernel", "transposed", "row", "half", "steps", "empty"]
    assert_array_equal(tensors["kernel"], kernel, strict=True)
    assert_array_equal(tensors["transposed"], kernel.T, strict=True)
    assert_array_equal(tensors["row"], kernel[1], strict=True)
    assert_array_equal(tensors["half"], np.array([0.5, -2], np.float16), strict=True)
    assert_array_equal(tensors["steps"], np.array(7), strict=True)
    assert_array_equal(tensors["empty"], np.zeros((0, 3), np.float32), strict=True)


@pytest.mark.parametrize(
    ("file", "refused"),
    [("bfloat16.pth", r"torch\.BFloat16Storage"), ("module.pth", r"torch\.nn\.modules\.linear\.Linear")],
)
def test_what_is_no_plain_tensor_is_refused_by_name(file: str, refused: str) -> None:
    with pytest.raises(WeightsError, match=f"{file}: .*Refused: {refused}"):
        read_checkpoint(FOLDER / file)


def test_code_is_refused_by_name_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "hostile.pth"
    path.write_bytes(legacy(pickle.dumps({"weight": RunsCode()}, 2)))
    with pytest.raises(WeightsError, match=r"hostile\.pth: .*Refused: (posix|nt)\.system"):
        read_checkpoint(path)


def test_code_in_an_archive_is_refused_by_name_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "hostile.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": RunsCode()}, 2))
    with pytest.raises(WeightsError, match=r"Refused: (posix|nt)\.system"):
        read_checkpoint(path)


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}, 2))
        archive.writestr("archive/data/0", bytes(1 << 20))
    with pytest.raises(WeightsError, match="stored uncompressed"):
        read_checkpoint(path)


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "book.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("book.txt", "words")
    with pytest.raises(WeightsError, match=r"must hold data\.pkl"):
        read_checkpoint(path)


def test_a_memo_number_that_would_reserve_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "memo.pth"
    path.write_bytes(legacy(b"\x80\x02}r\xff\xff\xff\x7f."))
    with pytest.raises(WeightsError, match="memo must count up"):
        read_checkpoint(path)


def test_a_dict_of_numbers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "numbers.pth"
    path.write_bytes(legacy(pickle.dumps({"epoch": 3}, 2)))
    with pytest.raises(WeightsError, match="one flat dict of names and tensors"):
        read_checkpoint(path)


def test_a_stride_that_leaves_the_storage_is_refused(tmp_path: Path) -> None:
    """The only strides [4, 1] in the old file belong to the 3 x 4 kernel."""
    path = tmp_path / "strides.pth"
    data = (FOLDER / "legacy.pth").read_bytes()
    assert data.count(b"K\x04K\x01\x86") == 1
    path.write_bytes(data.replace(b"K\x04K\x01\x86", b"K\x09K\x01\x86"))
    with pytest.raises(WeightsError, match="must lie in its storage of 12 numbers"):
        read_checkpoint(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"Received: .*missing\.pth"):
        read_checkpoint(tmp_path / "missing.pth")


@pytest.mark.parametrize("form", FORMATS)
@given(data=st.data())
@settings(max_examples=60)
def test_a_truncated_file_is_refused_wherever_it_ends(
    form: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = (FOLDER / f"{form}.pth").read_bytes()
    path = tmp_path_factory.mktemp("cut") / "cut.pth"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(WeightsError, match=r"cut\.pth"):
        read_checkpoint(path)


@pytest.mark.parametrize("form", FORMATS)
@given(data=st.data())
@settings(max_examples=150)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(
    form: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    damaged = bytearray((FOLDER / f"{form}.pth").read_bytes())
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "damaged.pth"
    path.write_bytes(damaged)
    try:
        tensors = read_checkpoint(path)
    except WeightsError:
        return
    assert all(isinstance(value, np.ndarray) for value in tensors.values())
