"""Finds out what an ingest node will read before Vertex AI looks into its cache; on Kubeflow, before the node itself.

TFX's own driver of file-based ExampleGens always uses TFX's fingerprint, which does not look into folders of images.
"""

import sys

from google.protobuf import json_format
from tfx.components.example_gen.driver import update_output_artifact
from tfx.components.example_gen.utils import FINGERPRINT_PROPERTY_NAME, SPAN_PROPERTY_NAME, VERSION_PROPERTY_NAME
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import EXAMPLES_KEY, INPUT_BASE_KEY, INPUT_CONFIG_KEY, RANGE_CONFIG_KEY

from roadworthy.components.ingest.driver import ImageFolderInput
from roadworthy.pipeline.container.arguments import Invocation, read_invocation, write_outputs
from roadworthy.pipeline.container.leaving import one_message


def drive(invocation: Invocation) -> None:
    """Writes span, fingerprint and the pattern of the span into the node's output file.

    Raises:
        DataError: no folder matches the path, or the folder can't be taken as labelled images.
    """
    properties = invocation.exec_properties
    config = json_format.Parse(properties[INPUT_CONFIG_KEY], example_gen_pb2.Input())
    span_range = (
        json_format.Parse(properties[RANGE_CONFIG_KEY], range_config_pb2.RangeConfig())
        if properties.get(RANGE_CONFIG_KEY)
        else None
    )
    data = ImageFolderInput(properties[INPUT_BASE_KEY], config.splits, span_range)
    span, version = data.resolve_span_and_version()
    found: dict[str, str | float] = {
        SPAN_PROPERTY_NAME: span,
        FINGERPRINT_PROPERTY_NAME: data.get_input_fingerprint(span, version),
    }
    if version is not None:
        found[VERSION_PROPERTY_NAME] = version
    for split in config.splits:
        split.pattern = data.get_pattern_for_span_version(split.pattern, span, version)
    examples = artifact_utils.get_single_instance(invocation.outputs[EXAMPLES_KEY])
    update_output_artifact(
        exec_properties={VERSION_PROPERTY_NAME: None, **found}, output_artifact=examples.mlmd_artifact
    )
    write_outputs(invocation, parameters={**found, INPUT_CONFIG_KEY: json_format.MessageToJson(config, sort_keys=True)})


def main() -> None:
    """Leaves with 2 and one message for a fault of the user's."""
    with one_message():
        drive(read_invocation(sys.argv[1:]))


if __name__ == "__main__":
    main()
