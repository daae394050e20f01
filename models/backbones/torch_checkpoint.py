"""Reads tensors from a PyTorch checkpoint without PyTorch, and without running anything the file asks for.

A checkpoint is a pickle that refers to storages of raw numbers. The unpickler here knows four names of PyTorch's and
refuses all others, so a hostile file can't call anything. Both formats are read: the zip archive (PyTorch 1.6 on) and
the older stream.

Reference: `torch/serialization.py` and `torch/_utils.py` of PyTorch.
"""

import io
import math
import pickle
import pickletools
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np

from roadworthy.serving.errors import WeightsError

MAX_FILE_BYTES: Final = 4 * 1024**3
MAX_PICKLE_BYTES: Final = 64 * 1024**2
LEGACY_MAGIC: Final = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL: Final = 1001
LEGACY_STORAGE_ID_FIELDS: Final = 6

# Little-endian, as PyTorch writes on every machine that Roadworthy runs on.
STORAGE_DTYPES: Final = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}


class Storage(NamedTuple):
    """A run of numbers that tensors are views of."""

    key: str
    dtype: str
    length: int


class View(NamedTuple):
    """A tensor whose numbers have not been read yet."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_checkpoint(path: Path) -> dict[str, np.ndarray]:
    """Reads a checkpoint's state dict.

    Args:
        path: a `.pth` file that holds a flat dict of names and tensors, at most `MAX_FILE_BYTES` long.

    Returns:
        Every tensor by its name, in the file's order, as an array of its own.

    Raises:
        WeightsError: the file is missing, truncated, too large, no checkpoint, or asks for anything but tensors; the
            message names the file and what was refused.
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_FILE_BYTES:
            raise WeightsError(f"{path} must be at most {MAX_FILE_BYTES} bytes. Received: {size_bytes}.")
        with path.open("rb") as file:
            state, storages = _read_zip(file) if zipfile.is_zipfile(file) else _read_legacy(file)
        return _tensors(state, storages)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    except OSError as error:
        raise WeightsError(f"The weights file must be readable. Received: {path}: {error}") from error
    except (
        *(pickle.UnpicklingError, zipfile.BadZipFile, struct.error, EOFError, NotImplementedError, UnicodeDecodeError),
        *(ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, MemoryError),
    ) as error:
        raise WeightsError(f"{path} must be a whole PyTorch checkpoint. Received: {error!r}") from error


class _Rebuild:
    """Stands for `torch._utils._rebuild_tensor_v2`; has no attributes that a pickle could set."""

    __slots__ = ()

    def __call__(
        self, storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
    ) -> View:
        numbers = (offset, *shape, *strides)
        if not isinstance(storage, Storage) or not all(type(n) is int and n >= 0 for n in numbers):
            raise WeightsError(f"A tensor must have a storage, an offset, a shape and strides. Received: {numbers}.")
        return View(storage, offset, tuple(shape), tuple(strides))


class _TensorUnpickler(pickle.Unpickler):
    """Knows ordered dicts, tensors and storages; refuses every other name."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[Storage, None] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Rebuild()
        if module == "torch" and name in STORAGE_DTYPES:
            return STORAGE_DTYPES[name]
        raise WeightsError(f"A checkpoint must hold plain tensors only. Refused: {module}.{name}.")

    def persistent_load(self, pid: Any) -> Storage:
        kind, dtype, key, _, length = pid[:5]
        # An older storage that is itself a view of another one carries a sixth field.
        if kind != "storage" or (len(pid) == LEGACY_STORAGE_ID_FIELDS and pid[5] is not None):
            raise WeightsError(f"A checkpoint must refer to whole storages only. Received: {pid!r}.")
        storage = Storage(str(key), str(dtype), int(length))
        self.storages[storage] = None
        return storage


def _read_zip(file: BinaryIO) -> tuple[Any, Mapping[Storage, np.ndarray]]:
    with zipfile.ZipFile(file) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise WeightsError("A checkpoint's archive must be stored uncompressed. Received: a compressed one.")
        pickled = next((name for name in archive.namelist() if name.endswith("data.pkl")), None)
        if pickled is None:
            raise WeightsError("A checkpoint's archive must hold data.pkl. Received: none.")
        state, wanted = _unpickle(io.BytesIO(archive.read(pickled)))
        root = pickled.removesuffix("data.pkl")
        return state, {storage: _numbers(storage, archive.read(f"{root}data/{storage.key}")) for storage in wanted}


def _read_legacy(file: BinaryIO) -> tuple[Any, Mapping[Storage, np.ndarray]]:
    """The older stream: magic, protocol, system, state, storage keys, then each storage's length and numbers."""
    file.seek(0)
    if (_unpickle(file)[0], _unpickle(file)[0]) != (LEGACY_MAGIC, LEGACY_PROTOCOL):
        raise WeightsError("A weights file must be a PyTorch checkpoint. Received: another kind of file.")
    if not _unpickle(file)[0]["little_endian"]:
        raise WeightsError("A checkpoint must be little-endian. Received: a big-endian one.")
    state, wanted = _unpickle(file)
    keys, _ = _unpickle(file)
    by_key = {storage.key: storage for storage in wanted}
    return state, {by_key[key]: _next_storage(file, by_key[key]) for key in keys}


def _next_storage(file: BinaryIO, storage: Storage) -> np.ndarray:
    (length,) = struct.unpack("<q", file.read(8))
    if length != storage.length:
        raise WeightsError(f"Storage {storage.key} must hold {storage.length} numbers. Received: {length}.")
    return _numbers(storage, file.read(length * np.dtype(storage.dtype).itemsize))


def _numbers(storage: Storage, data: bytes) -> np.ndarray:
    expected = storage.length * np.dtype(storage.dtype).itemsize
    if len(data) != expected:
        raise WeightsError(
            f"Storage {storage.key} must hold {expected} bytes. Received: {len(data)}; the file is truncated."
        )
    return np.frombuffer(data, storage.dtype)


def _unpickle(file: BinaryIO) -> tuple[Any, list[Storage]]:
    """Unpickles the next object; returns it and the storages it refers to, each once, in order."""
    start = file.tell()
    _check_opcodes(file)
    end = file.tell()
    file.seek(start)
    unpickler = _TensorUnpickler(io.BytesIO(file.read(end - start)))
    return unpickler.load(), list(unpickler.storages)


def _check_opcodes(file: BinaryIO) -> None:
    """Reads to the pickle's end; refuses memo numbers that would make the unpickler reserve memory without bound."""
    start = file.tell()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if opcode.name in {"PUT", "BINPUT", "LONG_BINPUT"} and int(argument or 0) > count:
            raise WeightsError(f"A checkpoint's memo must count up from 0. Received: {argument}.")
        if file.tell() - start > MAX_PICKLE_BYTES:
            raise WeightsError(f"A checkpoint's pickle must be at most {MAX_PICKLE_BYTES} bytes.")


def _tensors(state: Any, storages: Mapping[Storage, np.ndarray]) -> dict[str, np.ndarray]:
    if not isinstance(state, dict) or not all(isinstance(view, View) for view in state.values()):
        raise WeightsError("A checkpoint must be one flat dict of names and tensors. Received: something else.")
    return {str(name): _array(view, storages[view.storage]) for name, view in state.items()}


def _array(view: View, numbers: np.ndarray) -> np.ndarray:
    if len(view.shape) != len(view.strides):
        raise WeightsError(f"A tensor must have a stride an axis. Received: {view.shape} and {view.strides}.")
    length = math.prod(view.shape)
    last = view.offset + sum((size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True))
    # A stride of 0 could make a small file ask for endless memory.
    if length > len(numbers) or (length > 0 and last >= len(numbers)):
        raise WeightsError(f"A tensor of shape {view.shape} must lie in its storage of {len(numbers)} numbers.")
    if length == 0:
        return np.zeros(view.shape, numbers.dtype)
    strides = tuple(stride * numbers.itemsize for stride in view.strides)
    return np.lib.stride_tricks.as_strided(numbers[view.offset :], view.shape, strides).copy()
