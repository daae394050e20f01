"""What a Dockerfile of ours owes, what the locks owe each other, and that mistakes in them are told."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "infra" / "check"))

from image_check.dockerfile import stages  # noqa: E402

DOCKER = ROOT / "infra/docker"
DOCKERFILES = sorted(DOCKER.glob("*.Dockerfile"))
TARGETS = {
    "server": ("litert", "full"),
    "pipeline": ("pipeline", "pipeline-gpu", "dataflow"),
    "tf-serving": ("stage-0",),
}
IMAGES = dict(line.split("=", 1) for line in (DOCKER / "images.env").read_text().splitlines() if line[:1].isupper())
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def steps_of(found, name):
    """A target's steps, after those of the stages it is made from."""
    stage = found[name]
    return [*(steps_of(found, stage.base) if stage.base in found else []), *stage.steps]


def last(steps, name):
    return [step.rest for step in steps if step.name == name][-1]


@pytest.mark.parametrize(("file", "target"), [(file, target) for file, names in TARGETS.items() for target in names])
def test_a_served_image_has_a_user_a_health_check_and_says_what_it_is(file, target):
    steps = steps_of(stages((DOCKER / f"{file}.Dockerfile").read_text(), IMAGES), target)

    assert last(steps, "USER") == "10001:10001"
    assert "CMD [" in last(steps, "HEALTHCHECK")
    assert {"title", "version", "revision", "created"} <= set(
        re.findall(r"opencontainers\.image\.(\w+)=", last(steps, "LABEL"))
    )


@pytest.mark.parametrize(("file", "target"), [(file, target) for file, names in TARGETS.items() for target in names])
def test_an_image_says_what_it_is_made_from_also_where_that_is_given(file, target):
    """An ARG of before the first FROM is known only to a stage that names it again."""
    found = stages((DOCKER / f"{file}.Dockerfile").read_text(), IMAGES)
    base = re.search(r'image\.base\.name="docker\.io/(?:library/)?\$\{(\w+)\}"', last(steps_of(found, target), "LABEL"))

    assert base, "the label must name the ARG"
    assert base[1] in [step.rest for step in steps_of(found, target) if step.name == "ARG"]
    root = found[target]
    while root.base in found:
        root = found[root.base]
    assert root.base == IMAGES[base[1]]


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_a_run_step_is_a_script_that_a_test_can_run_too(file):
    for stage in stages(file.read_text(), IMAGES).values():
        for step in stage.steps:
            if step.name == "RUN":
                script = Path(step.rest.split()[0])
                assert (DOCKER / script.name).is_file(), f"{file.name}:{step.line}: {step.rest}"


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_what_an_image_is_made_from_is_in_images_env_and_has_a_tag(file):
    defaults = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)", file.read_text(), re.MULTILINE))

    assert defaults
    for name, image in defaults.items():
        assert IMAGES[name].split("@")[0] == image
        assert re.search(r":[\w.-]*\d[\w.-]*$", image), "a tag that names a version"


@pytest.mark.parametrize("name", ["build", "server-litert", "server", "pipeline", "pipeline-gpu"])
def test_an_image_has_the_checkout_s_versions_with_hashes(name):
    ours = dict(PIN.findall((ROOT / "requirements.lock").read_text()))
    text = (DOCKER / "locks" / f"{name}.lock").read_text()
    theirs = dict(PIN.findall(text))

    assert theirs
    others = {package for package, version in theirs.items() if ours.get(package) != version}
    # Whoever has no GPU needs none of NVIDIA's wheels.
    assert {package for package in others if not package.startswith("nvidia-")} == set()
    assert text.count("--hash=sha256:") >= len(theirs)


def test_only_the_litert_server_has_no_tensorflow():
    def has(name):
        return "tensorflow" in dict(PIN.findall((DOCKER / "locks" / f"{name}.lock").read_text()))

    assert {name: has(name) for name in ("server-litert", "server", "pipeline")} == {
        "server-litert": False,
        "server": True,
        "pipeline": True,
    }


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("RUN /usr/local/lib", "RUN cd /usr && /usr/local/lib", "DL3003"),
        ("FROM ${PYTHON_IMAGE} AS server", "FROM python AS server", "DL3006"),
        ("ENTRYPOINT [", "ENTRYPOINT roadworthy [", "DL3025"),
        ("EXPOSE 8500", "EXPOSE 85000", "DL3011"),
    ],
)
def test_hadolint_tells_a_planted_mistake(before, after, told):
    text = (DOCKER / "server.Dockerfile").read_text()
    assert before in text
    command = [ROOT / ".cache/check/bin/hadolint", "-"]
    done = subprocess.run(command, input=text.replace(before, after), capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert told in done.stdout


def test_an_instruction_that_the_follower_does_not_know_is_an_error():
    with pytest.raises(ValueError, match=r"line 2: must be one of .* Received: VOLUME"):
        stages("FROM python:3.11\nVOLUME /data\n", {})


def test_continued_lines_comments_and_arguments_are_read_as_docker_reads_them():
    text = (
        "ARG A=one\nFROM ${A} AS first\n# a comment\nRUN a \\\n  # inside\n  b\nFROM first\nCOPY --from=first /x /y\n"
    )
    found = stages(text, {"A": "two"})

    assert (found["first"].base, list(found)) == ("two", ["first", "stage-1"])
    assert [(step.rest.split(), step.line) for step in found["first"].steps] == [(["a", "b"], 4)]
    assert found["stage-1"].steps[0].flags() == ({"from": "first"}, ["/x", "/y"])
