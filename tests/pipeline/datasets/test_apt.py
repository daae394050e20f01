import hashlib
import subprocess
from pathlib import Path

import pytest

from roadworthy.pipeline.datasets import apt
from roadworthy.serving.errors import DataError

pytestmark = pytest.mark.skipif(not apt.is_available(), reason="apt and dpkg are not on this machine")

CONTROL = """Package: rw-sample
Version: 1.0
Architecture: all
Maintainer: Tests <tests@example.org>
Description: sample
"""


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """A package source in a folder, the only one apt knows of, on a system that has no package lists yet."""
    root = tmp_path / "repository"
    package = tmp_path / "package"
    (package / "DEBIAN").mkdir(parents=True)
    (package / "DEBIAN" / "control").write_text(CONTROL)
    (package / "usr/share/sample").mkdir(parents=True)
    (package / "usr/share/sample/greeting").write_text("hello")
    root.mkdir()
    deb = root / "rw-sample_1.0_all.deb"
    subprocess.run(["dpkg-deb", "--build", str(package), str(deb)], check=True, capture_output=True)
    about = (
        f"Filename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {hashlib.sha256(deb.read_bytes()).hexdigest()}\n"
    )
    (root / "Packages").write_text(CONTROL + about)
    (tmp_path / "lists" / "partial").mkdir(parents=True)
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{root} ./\n")
    (tmp_path / "apt.conf").write_text(
        f'Dir::State::lists "{tmp_path}/lists";\n'
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    return root


def test_a_package_is_found_without_the_systems_lists_and_unpacked(repository, tmp_path):
    root = apt.unpack_package("rw-sample", cache_dir=tmp_path / "cache")

    assert (root / "usr/share/sample/greeting").read_text() == "hello"


def test_an_unpacked_package_is_not_fetched_again(repository, tmp_path):
    first = apt.unpack_package("rw-sample", cache_dir=tmp_path / "cache")
    (repository / "rw-sample_1.0_all.deb").unlink()

    assert apt.unpack_package("rw-sample", cache_dir=tmp_path / "cache") == first


def test_a_package_that_is_not_to_be_had_is_refused_and_leaves_nothing(repository, tmp_path):
    with pytest.raises(DataError, match=r"must fetch the package rw-other\. Received: .*Unable to locate package"):
        apt.unpack_package("rw-other", cache_dir=tmp_path / "cache")

    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["apt"]


def test_a_damaged_package_is_refused(repository, tmp_path):
    deb = repository / "rw-sample_1.0_all.deb"
    deb.write_bytes(deb.read_bytes()[:-1] + b"x")

    with pytest.raises(DataError, match=r"must fetch the package rw-sample"):
        apt.unpack_package("rw-sample", cache_dir=tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_refused_by_name(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(DataError, match=r"file/cache must be a folder this user can write"):
        apt.unpack_package("rw-sample", cache_dir=tmp_path / "file" / "cache")
