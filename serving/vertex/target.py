"""A model at Vertex AI as something that versions are rolled out on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from roadworthy.serving.contract import LABEL
from roadworthy.serving.errors import DeployError
from roadworthy.serving.rollout.actions import Answered
from roadworthy.serving.rollout.digest import digest_label
from roadworthy.serving.rollout.state import DIGEST, Seen
from roadworthy.serving.vertex.ask import ask_endpoint
from roadworthy.serving.vertex.clients import Clients
from roadworthy.serving.vertex.endpoint import Endpoint
from roadworthy.serving.vertex.place import Place, check_id
from roadworthy.serving.vertex.registry import Registry, label_values
from roadworthy.serving.vertex.settings import Container, Explanation, Machine, Private
from roadworthy.serving.vertex.spec import check_servable, container_spec, explanation_spec, resources
from roadworthy.serving.vertex.staging import stage

_ASK_S = 30.0


@dataclass(frozen=True)
class Serving:
    """How a model is served.

    Attributes:
        id: of the parent model and of the endpoint.
        staging: gs:// folder that models are copied below.
        image: Roadworthy's own image.
        container, machine, private, explanation: settings.
    """

    id: str
    staging: str
    image: str | None = None
    container: Container = field(default_factory=Container)
    machine: Machine = field(default_factory=Machine)
    private: Private | None = None
    explanation: Explanation | None = None


@dataclass(frozen=True)
class Origin:
    """The model to roll out, and where it comes from.

    Attributes:
        version_dir: a SavedModel or LiteRT version folder.
        labels: run, commit and whatever else the version shall carry.
    """

    version_dir: Path
    labels: Mapping[str, str | None] = field(default_factory=dict)


class VertexTarget:
    """Parent model, versions and endpoint of one id; implements `roadworthy.serving.rollout.actions.Target`."""

    def __init__(self, place: Place, serving: Serving, origin: Origin | None = None) -> None:
        """Asks nothing yet.

        Args:
            place: where.
            serving: how it is served.
            origin: what `upload` uploads; None where nothing is.

        Raises:
            DeployError: an id that Vertex AI does not take, or a model that the container can't serve.
        """
        self._place, self._serving, self._origin = place, serving, origin
        if origin is not None:
            check_servable(origin.version_dir, serving.container)
        clients = Clients(place)
        self._clients = clients
        self._registry = Registry(clients, check_id(serving.id))
        self._endpoint = Endpoint(clients, serving.id)
        self._has_versions = False

    @property
    def endpoint(self) -> str:
        """The endpoint's resource name."""
        return self._endpoint.name

    def look(self) -> Seen:
        """Versions and what runs of them, once what was under way is done."""
        self._registry.settle()
        self._endpoint.settle()
        versions = self._registry.versions()
        self._has_versions = bool(versions)
        return Seen(versions, self._endpoint.deployed(self._serving.id))

    def upload(self) -> None:
        """Copies the model to gs:// and makes a version of it, the challenger."""
        if self._origin is None:
            raise DeployError("A model must be given to upload. Received: none.")
        from google.cloud.aiplatform_v1 import Model

        serving, origin = self._serving, self._origin
        digest = digest_label(origin.version_dir)
        # TF Serving reads a folder of versions, the others one version; neither may find the other's files in its own.
        folder = inner = f"{serving.staging}/{serving.id}/{digest}"
        if serving.container.kind == "tf-serving":
            folder = f"{folder}-versions"
            inner = f"{folder}/1"
        stage(origin.version_dir, inner, place=self._place)
        model = Model(
            display_name=serving.id,
            artifact_uri=folder,
            container_spec=container_spec(
                serving.container,
                model=serving.id,
                region=self._place.region,
                image=serving.image,
                accelerated=serving.machine.accelerator is not None,
            ),
            labels={**self._place.labels, **label_values(origin.labels), DIGEST: digest},
        )
        if serving.explanation is not None:
            model.explanation_spec = explanation_spec(serving.explanation, serving.container)
        if self._place.kms_key:
            model.encryption_spec.kms_key_name = self._place.kms_key
        self._registry.upload(model, is_first=not self._has_versions)

    def create_endpoint(self) -> None:
        """Makes the endpoint."""
        serving = self._serving
        self._endpoint.create(display_name=serving.id, labels=self._place.labels, private=serving.private)

    def deploy(self, version: int) -> None:
        """Has a version run, without traffic."""
        self._endpoint.deploy(
            f"{self._registry.name}@{version}",
            display_name=f"{self._serving.id}-{version}",
            resources=resources(self._serving.machine),
        )

    def share(self, percents: Mapping[int, int]) -> None:
        """Splits the traffic."""
        self._endpoint.share(percents)

    def undeploy(self, deployed_id: str) -> None:
        """Stops what runs under an id."""
        self._endpoint.undeploy(deployed_id)

    def alias(self, version: int, *, add: Sequence[str] = (), drop: Sequence[str] = ()) -> None:
        """Gives and takes aliases."""
        self._registry.alias(version, add=add, drop=drop)

    def label(self, version: int, key: str, value: str | None) -> None:
        """Sets a label, or takes it away."""
        self._registry.label(version, key, value)

    def ask(self, images: Sequence[bytes], *, prefer: int) -> Answered:
        """Classifies images; which version answers is the traffic split's to say."""
        timeout_s = min(_ASK_S, self._place.call_s)
        reply = ask_endpoint(self._clients, self._endpoint.name, images, timeout_s=timeout_s)
        return Answered(reply.version, tuple(str(one[LABEL]) for one in reply.predictions), reply.seconds)
