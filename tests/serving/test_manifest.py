import hashlib
import json

import pytest

from roadworthy.serving.errors import ServeError
from roadworthy.serving.manifest import MANIFEST_FILE, digest, verify_manifest, write_manifest


@pytest.fixture
def version_dir(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "model.bin").write_bytes(b"weights")
    (tmp_path / "variables" / "part").write_bytes(b"more")
    write_manifest(tmp_path)
    return tmp_path


def test_an_untouched_folder_passes(version_dir):
    verify_manifest(version_dir)


def test_a_changed_file_is_named(version_dir):
    (version_dir / "variables" / "part").write_bytes(b"less")
    with pytest.raises(ServeError, match=r"variables/part must be .* Received: other contents"):
        verify_manifest(version_dir)


def test_a_missing_file_is_named(version_dir):
    (version_dir / "model.bin").unlink()
    with pytest.raises(ServeError, match=r"model.bin must be .* Received: no such file"):
        verify_manifest(version_dir)


def test_an_extra_file_is_named(version_dir):
    (version_dir / "extra").touch()
    with pytest.raises(ServeError, match=r"extra must be .* Received: a file that is not listed"):
        verify_manifest(version_dir)


def test_a_link_is_refused(version_dir):
    (version_dir / "link").symlink_to("model.bin")
    with pytest.raises(ServeError, match="symbolic link"):
        verify_manifest(version_dir)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sha256": 3}', "\x00"])
def test_a_broken_manifest_is_named(version_dir, text):
    (version_dir / MANIFEST_FILE).write_text(text)
    with pytest.raises(ServeError, match=r"manifest.json must be a manifest"):
        verify_manifest(version_dir)


def test_the_manifest_holds_plain_sha256_sums(version_dir):
    sums = json.loads((version_dir / MANIFEST_FILE).read_text())["sha256"]
    assert sums["model.bin"] == hashlib.sha256(b"weights").hexdigest()
    assert set(sums) == {"model.bin", "variables/part"}


def test_the_digest_depends_on_contents_and_names_and_not_on_the_manifest(version_dir):
    before = digest(version_dir)
    (version_dir / MANIFEST_FILE).unlink()
    assert digest(version_dir) == before
    (version_dir / "model.bin").rename(version_dir / "model2.bin")
    assert digest(version_dir) != before
