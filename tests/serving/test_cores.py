"""What a container is given of a machine's cores, from control groups as the kernel writes them."""

import os

import pytest

from roadworthy.serving.cores import available_cores

V1 = "9:name=systemd:/\n3:cpuset:/box\n2:cpu,cpuacct:/box\n0::/\n"


@pytest.fixture(autouse=True)
def sixteen_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))


@pytest.fixture
def count(tmp_path):
    """Counts with these files of control groups, and what the process is in."""

    def count(own, **files):
        for name, text in files.items():
            file = tmp_path / "groups" / name.replace("__", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.with_name("cpu.max" if file.name == "max" else file.name).write_text(text)
        (tmp_path / "own").write_text(own)
        return available_cores(groups=tmp_path / "groups", own=tmp_path / "own")

    return count


@pytest.mark.parametrize(
    ("limit", "cores"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("50000 100000", 1),
        ("max 100000", 16),
        ("6400000 100000", 16),
        ("", 16),
    ],
)
def test_a_container_has_what_its_limit_says_rounded_up(count, limit, cores):
    assert count("0::/\n", max=f"{limit}\n") == cores


def test_the_least_of_a_group_and_all_above_it_counts(count):
    files = {"pods__max": "300000 100000", "pods__one__max": "400000 100000", "max": "max 100000"}

    assert count("0::/pods/one\n", **files) == 3


def test_a_name_from_outside_is_the_container_itself(count):
    assert count("0::/../../kubepods/pod1\n", max="200000 100000") == 2
    assert count("0::/kubepods/pod1\n", max="200000 100000") == 2


def test_older_control_groups_say_it_in_two_files(count):
    files = {"cpu,cpuacct__box__cpu.cfs_quota_us": "300000", "cpu,cpuacct__box__cpu.cfs_period_us": "100000"}

    assert count(V1, **files) == 3
    assert count(V1, **(files | {"cpu,cpuacct__box__cpu.cfs_quota_us": "-1"})) == 16


def test_where_there_are_no_control_groups_all_cores_count(tmp_path):
    assert available_cores(groups=tmp_path, own=tmp_path / "own") == 16


def test_here_there_is_one_or_more():
    assert available_cores() >= 1
