"""Settings as the messages that Vertex AI takes: containers, machines, explanations."""

from pathlib import Path
from typing import Any, Final

from roadworthy.serving.contract import EXAMPLES_INPUT, IMAGE_INPUT, SAVED_MODEL_FILE
from roadworthy.serving.errors import DeployError
from roadworthy.serving.repository import check_version
from roadworthy.serving.vertex.settings import Container, Explanation, Machine

PORT: Final = 8080
_GRPC_PORT: Final = 8500
# https://cloud.google.com/vertex-ai/docs/predictions/pre-built-containers: one for each part of the world.
_TENSORFLOW: Final = "{continent}-docker.pkg.dev/vertex-ai/prediction/tf2-{processor}.2-15:latest"
_CONTINENTS: Final = {"europe": "europe", "asia": "asia", "us": "us"}
_TF_SERVING: Final = "tensorflow/serving:2.19.1"
_CPU_METRIC: Final = "aiplatform.googleapis.com/prediction/online/cpu/utilization"
_ACCELERATOR_METRIC: Final = "aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle"


def check_servable(version_dir: Path, container: Container) -> None:
    """Refuses a model that the container can't serve, before anything is uploaded.

    Raises:
        DeployError: no model, or no SavedModel and a container that serves nothing else.
    """
    check_version(version_dir)
    if container.kind != "roadworthy" and not (version_dir / SAVED_MODEL_FILE).is_file():
        raise DeployError(
            f"{version_dir} must be a SavedModel for the container {container.kind}. Received: a LiteRT file. "
            "Set deploy.container.kind: roadworthy."
        )


def container_spec(container: Container, *, model: str, region: str, image: str | None, accelerated: bool) -> Any:
    """How the container is started and asked, as a `ModelContainerSpec`.

    Args:
        container: settings.
        model: name the server serves the model by.
        region: whose part of the world has the image.
        image: Roadworthy's own image, where the settings name none.
        accelerated: there are GPUs.

    Raises:
        DeployError: no image is known.
    """
    from google.cloud.aiplatform_v1 import ModelContainerSpec, Port

    routes = {"predict_route": f"/v1/models/{model}:predict", "ports": [Port(container_port=PORT)]}
    match container.kind:
        case "tensorflow":
            return ModelContainerSpec(image_uri=container.image or _tensorflow_image(region, accelerated=accelerated))
        case "tf-serving":
            flags = [f"--port={_GRPC_PORT}", f"--rest_api_port={PORT}", f"--model_name={model}"]
            return ModelContainerSpec(
                image_uri=container.image or _TF_SERVING,
                command=["/usr/bin/tensorflow_model_server"],
                args=[*flags, "--model_base_path=$(AIP_STORAGE_URI)", *container.args],
                health_route=f"/v1/models/{model}",
                **routes,
            )
    if not (container.image or image):
        raise DeployError("deploy.container.image or cloud.image must be given. Received: neither.")
    # Vertex AI alone reaches the container, in plain HTTP; port, routes and model come by AIP_*.
    flags = ["--host=0.0.0.0", "--insecure", "--page=false", f"--model_name={model}"]
    return ModelContainerSpec(
        image_uri=container.image or image,
        command=["roadworthy-model-server"],
        args=[*flags, *container.args],
        health_route="/health",
        **routes,
    )


def resources(machine: Machine) -> Any:
    """What a deployed model runs on, as `DedicatedResources`."""
    from google.cloud.aiplatform_v1 import AutoscalingMetricSpec, DedicatedResources

    targets = {_CPU_METRIC: machine.cpu_target, _ACCELERATOR_METRIC: machine.accelerator_target}
    return DedicatedResources(
        machine_spec=machine_spec(machine),
        min_replica_count=machine.replicas,
        max_replica_count=machine.max_replicas or machine.replicas,
        autoscaling_metric_specs=[
            AutoscalingMetricSpec(metric_name=name, target=target) for name, target in targets.items() if target
        ],
        spot=machine.spot,
    )


def machine_spec(machine: Machine) -> Any:
    """One machine, as a `MachineSpec`.

    Raises:
        DeployError: an accelerator that Vertex AI's client does not know.
    """
    from google.cloud.aiplatform_v1 import AcceleratorType, MachineSpec

    spec = MachineSpec(machine_type=machine.type)
    if machine.accelerator is not None:
        name = machine.accelerator.upper().replace("-", "_")
        kinds: Any = AcceleratorType
        known = [kind.name for kind in kinds if kind.value]
        if name not in known:
            spelt = ", ".join(kind.lower().replace("_", "-") for kind in known)
            raise DeployError(f"deploy.machine.accelerator must be one of {spelt}. Received: {machine.accelerator}.")
        spec.accelerator_type, spec.accelerator_count = kinds[name], machine.accelerators
    return spec


def explanation_spec(explanation: Explanation, container: Container) -> Any:
    """How scores of a model in a container are explained, as an `ExplanationSpec`."""
    from google.cloud import aiplatform_v1 as v1

    match explanation.method:
        case "sampled-shapley":
            how = v1.ExplanationParameters(
                sampled_shapley_attribution=v1.SampledShapleyAttribution(path_count=explanation.steps)
            )
        case "integrated-gradients":
            how = v1.ExplanationParameters(
                integrated_gradients_attribution=v1.IntegratedGradientsAttribution(step_count=explanation.steps)
            )
        case "xrai":
            how = v1.ExplanationParameters(xrai_attribution=v1.XraiAttribution(step_count=explanation.steps))
    # Vertex AI's own image knows the signature serving_default alone.
    images = EXAMPLES_INPUT if container.kind == "tensorflow" else IMAGE_INPUT
    asked = explanation.input or images
    modality = "image" if asked == images else "numeric"
    metadata = v1.ExplanationMetadata(
        inputs={asked: v1.ExplanationMetadata.InputMetadata(input_tensor_name=asked, modality=modality)},
        outputs={explanation.output: v1.ExplanationMetadata.OutputMetadata(output_tensor_name=explanation.output)},
    )
    return v1.ExplanationSpec(parameters=how, metadata=metadata)


def _tensorflow_image(region: str, *, accelerated: bool) -> str:
    continent = _CONTINENTS.get(region.split("-", maxsplit=1)[0], "us")
    return _TENSORFLOW.format(continent=continent, processor="gpu" if accelerated else "cpu")
