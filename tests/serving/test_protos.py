import importlib.util
import subprocess
import sys
from pathlib import Path

from roadworthy.serving import protos

SCRIPT = Path(__file__).parents[2] / "infra" / "protos" / "build_descriptors.py"


def test_the_stored_descriptors_are_those_of_the_installed_packages():
    spec = importlib.util.spec_from_file_location("build_descriptors", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.TARGET.read_bytes() == script.build(), f"out of date: run python {SCRIPT}"


def test_messages_are_the_same_on_the_wire_as_upstreams():
    from tensorflow_serving.apis import predict_pb2

    ours = protos.PredictRequest(output_filter=["scores"])
    ours.model_spec.name = "fashion"
    ours.model_spec.version.value = 3
    ours.inputs["x"].float_val.append(1.5)
    theirs = predict_pb2.PredictRequest.FromString(ours.SerializeToString())
    assert theirs.model_spec.version.value == 3
    assert theirs.inputs["x"].float_val == [1.5]
    assert protos.PredictRequest.FromString(theirs.SerializeToString()) == ours


def test_the_client_side_imports_no_tensorflow():
    modules = "roadworthy.serving.client, roadworthy.serving.protos, roadworthy.serving.tensors"
    heavy = "{'tensorflow', 'tensorflow_serving', 'keras', 'PIL', 'starlette'}"
    code = f"import sys, {modules}; print({heavy} & set(sys.modules))"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "set()"
