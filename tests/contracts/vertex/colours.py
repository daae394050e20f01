"""A model of a few hundred bytes on its way to the local Vertex AI: settings, version folders, images."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from contracts.mean_colour import CARD, write_mean_colour
from contracts.pictures import encode, pixels
from roadworthy.components.pushers.vertex_push import VertexPush
from roadworthy.serving.rollout.actions import Target
from roadworthy.serving.rollout.check import Checker
from roadworthy.serving.rollout.digest import digest_label
from roadworthy.serving.rollout.plan import Plan, deploying
from roadworthy.serving.rollout.ramp import Ramp
from roadworthy.serving.rollout.run import Rollout


def push_settings() -> VertexPush:
    """Settings under which nothing waits longer than it has to."""
    return VertexPush(
        project="demo",
        region="us-central1",
        id="colours",
        staging="gs://rw-bucket/models",
        image="europe-docker.pkg.dev/demo/roadworthy/server:1",
        ramp=Ramp(steps=(25, 100), answers=2, held_images=4, images_a_request=2, grace_s=0, max_p95_ms=None),
        poll_s=0.001,
        labels={"team": "colours"},
    )


def write_colours(folder: Path, *, mixed_up: bool = False) -> Path:
    """Writes a version folder, of the same answers under the folder's name or with the labels mixed up."""
    if not folder.exists():
        write_mean_colour(folder)
        labels = CARD.labels[::-1] if mixed_up else CARD.labels
        replace(CARD, variant=folder.name, labels=labels).write(folder)
    return folder


def colour_images() -> list[bytes]:
    """Plain images of the three colours, and one more."""
    images = []
    for channel in (0, 1, 2, 0):
        image = pixels(0) * 0
        image[..., channel] = 255 - len(images)
        images.append(encode(image))
    return images


def rollout(push: VertexPush, plan: Plan, images: Sequence[bytes], *, target: Target | None = None) -> Rollout:
    """A plan on the way to be carried out."""
    return Rollout(target or push.target(), plan, Checker(images, push.ramp))


def deploy(push: VertexPush, folder: Path, images: Sequence[bytes]) -> None:
    """Brings a version folder to all traffic."""
    rollout(push, deploying(digest_label(folder), push.ramp), images, target=push.target(folder)).run()
