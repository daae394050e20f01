import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from roadworthy.serving import repository
from roadworthy.serving.errors import DeployError
from roadworthy.serving.manifest import verify_manifest
from roadworthy.serving.repository import publish, versions


@pytest.fixture
def version_dir(tmp_path):
    folder = tmp_path / "exported"
    (folder / "assets.extra").mkdir(parents=True)
    (folder / "model.tflite").write_bytes(b"weights")
    (folder / "assets.extra" / "roadworthy.json").write_text("{}")
    return folder


def change(version_dir, text):
    (version_dir / "model.tflite").write_text(text)


def test_a_first_version_is_1_and_has_a_manifest(tmp_path, version_dir):
    published = publish(version_dir, model_root=tmp_path / "root", name="fashion")
    assert (published.version, published.already) == (1, False)
    assert published.path == tmp_path / "root" / "fashion" / "1"
    verify_manifest(published.path)


def test_other_files_become_the_next_version(tmp_path, version_dir):
    publish(version_dir, model_root=tmp_path / "root", name="fashion")
    change(version_dir, "better")
    assert publish(version_dir, model_root=tmp_path / "root", name="fashion").version == 2
    assert versions(tmp_path / "root" / "fashion") == [1, 2]


def test_the_same_files_are_not_pushed_twice(tmp_path, version_dir):
    first = publish(version_dir, model_root=tmp_path / "root", name="fashion")
    again = publish(version_dir, model_root=tmp_path / "root", name="fashion")
    assert again.already
    assert again.path == first.path
    assert versions(tmp_path / "root" / "fashion") == [1]


def test_older_files_come_back_as_a_new_version(tmp_path, version_dir):
    for text in ("a", "b", "a"):
        change(version_dir, text)
        published = publish(version_dir, model_root=tmp_path / "root", name="fashion")
    assert (published.version, published.already) == (3, False)


def test_a_full_disk_leaves_nothing_behind(tmp_path, version_dir, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DeployError, match=r"No space left on device.*Nothing was pushed"):
        publish(version_dir, model_root=tmp_path / "root", name="fashion")
    assert list((tmp_path / "root").iterdir()) == []


def test_a_full_disk_leaves_the_versions_before_as_they_were(tmp_path, version_dir, monkeypatch):
    publish(version_dir, model_root=tmp_path / "root", name="fashion")
    change(version_dir, "better")

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(repository, "write_manifest", full)
    with pytest.raises(DeployError, match="No space left"):
        publish(version_dir, model_root=tmp_path / "root", name="fashion")
    assert os.listdir(tmp_path / "root" / "fashion") == ["1"]


def test_a_root_that_is_a_file_is_a_deploy_error(tmp_path, version_dir):
    (tmp_path / "root").touch()
    with pytest.raises(DeployError, match="must take a new version"):
        publish(version_dir, model_root=tmp_path / "root", name="fashion")


def test_what_a_killed_push_left_is_cleaned_up(tmp_path, version_dir):
    stale = tmp_path / "root" / "fashion" / ".pushing-0123"
    stale.mkdir(parents=True)
    publish(version_dir, model_root=tmp_path / "root", name="fashion")
    assert os.listdir(tmp_path / "root" / "fashion") == ["1"]


@pytest.mark.parametrize("name", ["", "../up", ".hidden", "a/b", "-x", "a" * 129, "a:b"])
def test_an_unfit_name_is_refused(tmp_path, version_dir, name):
    with pytest.raises(DeployError, match="name must be"):
        publish(version_dir, model_root=tmp_path / "root", name=name)
    assert not (tmp_path / "root").exists()


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(DeployError, match="must be an exported model"):
        publish(tmp_path, model_root=tmp_path / "root", name="fashion")


def test_a_link_in_the_model_is_refused(tmp_path, version_dir):
    (version_dir / "secret").symlink_to("/etc/hostname")
    with pytest.raises(DeployError, match="symbolic link"):
        publish(version_dir, model_root=tmp_path / "root", name="fashion")
    assert not (tmp_path / "root" / "fashion").exists()


def test_pushes_at_the_same_time_get_versions_of_their_own(tmp_path, version_dir):
    folders = [shutil.copytree(version_dir, tmp_path / f"exported{index}") for index in range(6)]
    for index, folder in enumerate(folders):
        change(folder, str(index))
    with ThreadPoolExecutor(6) as pool:
        pushed = pool.map(lambda folder: publish(folder, model_root=tmp_path / "root", name="fashion").version, folders)
    assert sorted(pushed) == [1, 2, 3, 4, 5, 6]


def test_only_folders_with_a_number_for_a_name_are_versions(tmp_path):
    for name in ("3", "0012", "latest", "-1", "1.5", "99999999999999999999", ".pushing-1"):
        (tmp_path / name).mkdir()
    (tmp_path / "7").touch()
    assert versions(tmp_path) == [3, 12]


def test_a_model_without_a_folder_has_no_versions(tmp_path):
    assert versions(tmp_path / "none") == []
