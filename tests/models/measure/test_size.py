import gzip

import numpy as np
import pytest
import zstandard

from roadworthy.models.measure.size import measure_size
from roadworthy.serving.errors import ModelError
from roadworthy.serving.manifest import write_manifest


def test_bytes_are_those_of_the_files_a_server_loads(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"a" * 1000)
    (tmp_path / "variables" / "variables.index").write_bytes(b"b" * 10)
    (tmp_path / "assets.extra" / "roadworthy.json").write_bytes(b"c" * 500)
    write_manifest(tmp_path)
    assert measure_size(tmp_path).raw_bytes == 1010


def test_compressed_bytes_are_those_of_the_tools_at_their_best_file_by_file(tmp_path):
    random = np.random.default_rng(0)
    long = random.integers(0, 256, 5_000, np.uint8).tobytes() * 500
    hard = random.integers(0, 4, 60_000, np.uint8).tobytes()
    (tmp_path / "saved_model.pb").write_bytes(long)
    (tmp_path / "fingerprint.pb").write_bytes(hard)
    assert measure_size(tmp_path).gzip_bytes == len(gzip.compress(long, 9)) + len(gzip.compress(hard, 9))
    best = zstandard.ZstdCompressor(level=19)
    assert measure_size(tmp_path).zstd_bytes == pytest.approx(
        len(best.compress(long)) + len(best.compress(hard)), abs=64
    )


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=str(tmp_path)):
        measure_size(tmp_path)


def test_an_int8_model_is_smaller_than_its_float_twin(litert, float_litert):
    assert measure_size(litert).raw_bytes < measure_size(float_litert).raw_bytes
