"""The whole life of a deployment on the local Vertex AI, by Google's own client."""

import itertools

import pytest

from contracts.vertex.colours import rollout
from contracts.vertex.containers import Trouble
from contracts.vertex.server import PARENT, Fault
from roadworthy.serving.errors import AskError, DeployError
from roadworthy.serving.rollout.digest import digest_label
from roadworthy.serving.rollout.plan import deploying, promoting, rolling_back, to_take_back
from roadworthy.serving.rollout.state import CHALLENGER, CHAMPION, DIGEST, PREVIOUS, REFUSED

ENDPOINT = f"{PARENT}/endpoints/colours"
# What changes something; a process that dies after it has only read is as one that dies after the change before.
CHANGES = (
    "upload_model", "create_endpoint", "deploy_model", "update_endpoint", "merge_version_aliases", "update_model",
    "undeploy_model",
)  # fmt: skip


class Killed(BaseException):
    """What no `except Exception` stops."""


class Mortal:
    """A client of Google's whose process dies once a number of its changes have been sent."""

    def __init__(self, client, left):
        self._client, self._left = client, left

    def __getattr__(self, name):
        method = getattr(self._client, name)
        if name not in CHANGES:
            return method

        def call(*given, **named):
            answered = method(*given, **named)
            if next(self._left) == 0:
                raise Killed(name)
            return answered

        return call


def deploy(push, folder, images, *, dies_after=None, again=False):
    """Deploys a model to its end or to its death, and returns the rollout."""
    target = push.model_copy(update={"commit": "abc123"}).target(folder, run="run/2026 A")
    if dies_after is not None:
        left = itertools.count(dies_after, -1)
        clients = target._clients
        clients.models, clients.endpoints = Mortal(clients.models, left), Mortal(clients.endpoints, left)
    going = rollout(push, deploying(digest_label(folder), push.ramp, again=again), images, target=target)
    going.run()
    return going


def standing(push):
    """Aliases by version, and percents by version."""
    seen = push.target().look()
    aliases = {version.number: set(version.aliases) for version in seen.versions if version.aliases}
    return aliases, {one.version: one.percent for one in seen.deployed}


def test_the_first_version_gets_all_traffic_and_carries_where_it_came_from(push, models, colours, vertex, gcs):
    folder = models("first")
    deploy(push, folder, colours)
    assert standing(push) == ({1: {CHAMPION}}, {1: 100})
    (version,) = push.target().look().versions
    assert version.labels["roadworthy-run"] == "run-2026-a"
    assert version.labels["roadworthy-commit"] == "abc123"
    assert version.labels["team"] == "colours"
    digest = version.labels[DIGEST]
    assert gcs.read("rw-bucket", f"models/colours/{digest}/model.tflite") == (folder / "model.tflite").read_bytes()
    (environment,) = vertex.containers.environments.values()
    assert environment["AIP_STORAGE_URI"] == f"gs://rw-bucket/models/colours/{digest}"


def test_a_second_version_rises_step_by_step_and_the_old_one_leaves(push, models, colours):
    deploy(push, models("first"), colours)
    went = deploy(push, models("second"), colours)
    assert [str(action) for action in went.done] == [
        "uploading the model as a version",
        "deploying version 2 at 0%",
        "checking version 2 at 0%",
        "traffic: version 1 75%, version 2 25%",
        "checking version 2 at 25%",
        "traffic: version 2 100%",
        "checking version 2 at 100%",
        next(str(action) for action in went.done if "since" in str(action)),
        "version 1: +previous",
        "version 2: +champion -challenger",
        "undeploying version 1",
    ]
    assert [measured.agreement for measured in went.measured] == [None, 1.0, 1.0]
    assert standing(push) == ({1: {PREVIOUS}, 2: {CHAMPION}}, {2: 100})


def test_what_is_not_there_yet_may_have_no_operations_to_list(push, vertex):
    vertex.faults.append(Fault("ListOperations", "NOT_FOUND", "The Model does not exist", times=2))
    assert push.target().look().versions == ()


def test_the_same_model_again_changes_nothing(push, models, colours, vertex):
    deploy(push, models("first"), colours)
    before = len(vertex.calls)
    assert deploy(push, models("first"), colours).done == []
    assert not {"UploadModel", "DeployModel", "UpdateEndpoint"} & {name for name, _ in vertex.calls[before:]}


def test_a_version_that_disagrees_is_taken_back_and_says_why(push, models, colours):
    deploy(push, models("first"), colours)
    mixed = models("mixed", mixed_up=True)
    with pytest.raises(DeployError, match=r"missed its check at 25%(?s:.*)champion's label. Received: 25.0%"):
        deploy(push, mixed, colours)
    assert standing(push) == ({1: {CHAMPION}}, {1: 100})
    with pytest.raises(DeployError, match=r"version 2, was taken back: agreement-25-0(?s:.*)--again"):
        deploy(push, mixed, colours)


@pytest.mark.parametrize(
    "case",
    [
        (Trouble(error_every=2), {}, "at most 1.0% may fail"),
        (Trouble(delay_s=0.3), {"max_p95_ms": 250.0}, "p95 must be at most 250 ms"),
    ],
)
def test_a_version_that_fails_or_is_slow_is_taken_back(push, models, colours, vertex, case):
    trouble, limits, said = case
    deploy(push, models("first"), colours)
    vertex.containers.troubles["2"] = trouble
    push = push.model_copy(update={"ramp": push.ramp.model_copy(update=limits)})
    with pytest.raises(DeployError, match=said):
        deploy(push, models("second"), colours)
    assert standing(push) == ({1: {CHAMPION}}, {1: 100})


@pytest.mark.parametrize("missed", [5, 25, 100])
def test_a_check_that_is_missed_at_any_step_gives_all_traffic_back(push, models, colours, vertex, missed):
    steps = (5, 25, 100)
    deploy(push, models("first"), colours)
    push = push.model_copy(update={"ramp": push.ramp.model_copy(update={"steps": steps})})
    target = push.target(models("second"))
    going = rollout(push, deploying(digest_label(models("second")), push.ramp), colours, target=target)

    def break_at_step(action):
        if str(action) == f"checking version 2 at {missed}%":
            vertex.containers.troubles["2"] = Trouble(error_every=1)

    going.tell = break_at_step
    with pytest.raises(DeployError, match=f"missed its check at {missed}% of the traffic and was taken back"):
        going.run()
    assert [measured.percent for measured in going.measured if measured.percent] == list(
        steps[: steps.index(missed) + 1]
    )
    assert standing(push) == ({1: {CHAMPION}}, {1: 100})


@pytest.mark.parametrize("code", ["PERMISSION_DENIED", "UNAUTHENTICATED"])
def test_who_may_not_ask_is_told_so_and_no_version_is_taken_back_for_it(push, models, colours, vertex, code):
    deploy(push, models("first"), colours)
    fault = Fault("Predict", code, times=999)
    vertex.faults.append(fault)
    with pytest.raises(AskError, match=code):
        deploy(push, models("second"), colours)
    vertex.faults.remove(fault)
    deploy(push, models("second"), colours)
    assert standing(push) == ({1: {PREVIOUS}, 2: {CHAMPION}}, {2: 100})


def test_a_look_that_fails_while_it_is_waited_is_taken_again(push, models, colours, vertex):
    vertex.faults.append(Fault("GetOperation", "UNAVAILABLE", times=2))
    deploy(push, models("first"), colours)
    assert standing(push) == ({1: {CHAMPION}}, {1: 100})


def test_a_refused_version_can_be_tried_again(push, models, colours, vertex):
    deploy(push, models("first"), colours)
    vertex.containers.troubles["2"] = Trouble(error_every=1)
    with pytest.raises(DeployError):
        deploy(push, models("second"), colours)
    vertex.containers.troubles.clear()
    deploy(push, models("second"), colours, again=True)
    assert standing(push) == ({1: {PREVIOUS}, 2: {CHAMPION}}, {2: 100})


def test_a_rollback_brings_back_the_version_before(push, models, colours):
    for name in ("first", "second"):
        deploy(push, models(name), colours)
    victim = to_take_back(push.target().look())
    rollout(push, rolling_back(victim), colours).run()
    assert standing(push) == ({1: {CHAMPION}}, {1: 100})
    assert {one.number: one.refused for one in push.target().look().versions} == {1: None, 2: "asked"}


def test_a_challenger_is_promoted_without_further_checks(push, models, colours):
    deploy(push, models("first"), colours)
    with pytest.raises(Killed):
        deploy(push, models("second"), colours, dies_after=2)  # dies at 25%
    assert standing(push)[1] == {1: 75, 2: 25}
    rollout(push, promoting(push.ramp), colours).run()
    assert standing(push) == ({1: {PREVIOUS}, 2: {CHAMPION}}, {2: 100})


def test_one_challenger_at_a_time(push, models, colours):
    deploy(push, models("first"), colours)
    with pytest.raises(Killed):
        deploy(push, models("second"), colours, dies_after=2)
    with pytest.raises(DeployError, match="version 2 is the challenger"):
        deploy(push, models("third"), colours)


def test_the_old_version_stays_for_the_grace_time(push, models, colours):
    deploy(push, models("first"), colours)
    push = push.model_copy(update={"ramp": push.ramp.model_copy(update={"grace_s": 600.0})})
    target = push.target(models("second"))
    going = rollout(push, deploying(digest_label(models_folder(target)), push.ramp), colours, target=target)
    going.waits_grace = False
    going.run()
    assert standing(push) == ({1: {PREVIOUS}, 2: {CHAMPION}}, {1: 0, 2: 100})


def models_folder(target):
    return target._origin.version_dir


def test_killed_after_any_change_the_next_call_finishes(push, models, colours):
    first = itertools.count()
    deploy(push, models("0"), colours)
    for number in itertools.count(1):
        folder = models(str(number))
        try:
            deploy(push, folder, colours, dies_after=next(first))
        except Killed:
            deploy(push, folder, colours)
        else:
            break
        assert standing(push) == ({number: {PREVIOUS}, number + 1: {CHAMPION}}, {number + 1: 100})
    assert number == 9  # upload, deploy, two splits, a label, two aliases, an undeployment: each was the last once


def test_killed_while_it_is_taken_back_the_next_call_finishes(push, models, colours):
    deploy(push, models("0"), colours)
    deaths = 0
    for changes in itertools.count(3):
        folder = models(f"bad-{changes}", mixed_up=True)
        try:
            deploy(push, folder, colours, dies_after=changes)
        except DeployError:
            break
        except Killed:
            deaths += 1
        with pytest.raises(DeployError, match="taken back"):
            deploy(push, folder, colours)
        assert standing(push) == ({1: {CHAMPION}}, {1: 100})
    assert deaths == 4  # the mark, the traffic, the undeployment, the alias


def test_time_outs_are_kept(push, models, colours, vertex):
    vertex.faults.append(Fault("ListModelVersions", stall_s=5.0))
    with pytest.raises(DeployError) as caught:
        push.model_copy(update={"call_s": 0.2}).target().look()
    assert caught.value.code == "DEADLINE_EXCEEDED"
    vertex.operations.polls = 10_000
    with pytest.raises(DeployError, match=r"not done after 0\.2 s"):
        deploy(push.model_copy(update={"operation_s": 0.2}), models("first"), colours)


def test_an_endpoint_of_another_model_is_left_alone(push, models, colours):
    deploy(push, models("first"), colours)
    other = push.model_copy(update={"id": "others"})
    deploy(other, models("first"), colours)
    mixed = push.target()
    mixed._endpoint._place = push.place
    mixed._endpoint.name = f"{PARENT}/endpoints/others"
    with pytest.raises(DeployError, match="Received: also others"):
        mixed.look()


def test_a_refused_mark_is_a_label(push, models, colours):
    deploy(push, models("first"), colours)
    with pytest.raises(DeployError):
        deploy(push, models("mixed", mixed_up=True), colours)
    assert push.target().look().versions[1].labels[REFUSED].startswith("agreement")
    assert push.target().look().holder(CHALLENGER) is None
