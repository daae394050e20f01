"""TF Serving's messages without TensorFlow: classes made from `tf_serving.binpb` in a pool of their own.

The private pool lets them live in one process with TensorFlow's and `tensorflow-serving-api`'s own classes, which
register the same names in the default pool. On the wire they are the same. The file is written by
`infra/protos/build_descriptors.py`.
"""

from importlib.resources import files
from typing import Any, Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

PREDICTION_SERVICE: Final = "tensorflow.serving.PredictionService"
MODEL_SERVICE: Final = "tensorflow.serving.ModelService"


# Messages that no package brings: (field, number, type), a type being another message's or a scalar's.
# Upstream: tensorflow_serving/config/{monitoring,ssl}_config.proto,
# servables/tensorflow/session_bundle_config.proto, tsl/profiler/protobuf/profiler_service.proto.
_CONFIG_MESSAGES: Final = {
    "PrometheusConfig": (("enable", 1, "bool"), ("path", 2, "string")),
    "MonitoringConfig": (("prometheus_config", 1, "PrometheusConfig"),),
    "SSLConfig": (
        ("server_key", 1, "string"),
        ("server_cert", 2, "string"),
        ("custom_ca", 3, "string"),
        ("client_verify", 4, "bool"),
    ),
    "ProfileRequest": (("duration_ms", 1, "uint64"),),
    "ProfileToolData": (("name", 1, "string"), ("data", 2, "bytes")),
    "ProfileResponse": (("tool_data", 6, "repeated ProfileToolData"), ("empty_trace", 7, "bool")),
    "BatchingParameters": (
        ("max_batch_size", 1, "google.protobuf.Int64Value"),
        ("batch_timeout_micros", 2, "google.protobuf.Int64Value"),
        ("max_enqueued_batches", 3, "google.protobuf.Int64Value"),
        ("num_batch_threads", 4, "google.protobuf.Int64Value"),
        ("thread_pool_name", 5, "google.protobuf.StringValue"),
        ("allowed_batch_sizes", 6, "repeated int64"),
        ("pad_variable_length_inputs", 7, "bool"),
        ("enable_large_batch_splitting", 8, "google.protobuf.BoolValue"),
        ("max_execution_batch_size", 9, "google.protobuf.Int64Value"),
    ),
}
_REPEATED: Final = "repeated "


def _config_file() -> FileDescriptorProto:
    file = FileDescriptorProto(name="roadworthy/config.proto", package="tensorflow.serving", syntax="proto3")
    file.dependency.append("google/protobuf/wrappers.proto")
    for message_name, fields in _CONFIG_MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for name, number, declared in fields:
            kind = declared.removeprefix(_REPEATED)
            label = FieldDescriptorProto.LABEL_OPTIONAL if kind == declared else FieldDescriptorProto.LABEL_REPEATED
            field = message.field.add(name=name, number=number, label=label)
            if kind in _CONFIG_MESSAGES or "." in kind:
                field.type = FieldDescriptorProto.TYPE_MESSAGE
                field.type_name = f".{kind}" if "." in kind else f".tensorflow.serving.{kind}"
            else:
                field.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
    return file


def _load_pool() -> DescriptorPool:
    pool = DescriptorPool()
    stored = files("roadworthy.serving").joinpath("tf_serving.binpb").read_bytes()
    for file in FileDescriptorSet.FromString(stored).file:
        pool.AddSerializedFile(file.SerializeToString())
    pool.AddSerializedFile(_config_file().SerializeToString())
    return pool


POOL: Final = _load_pool()


# The classes are made at run time, so no type checker can know their fields.
def _message(full_name: str) -> Any:
    return GetMessageClass(POOL.FindMessageTypeByName(full_name))


TensorProto: Final = _message("tensorflow.TensorProto")
TensorShapeProto: Final = _message("tensorflow.TensorShapeProto")
Example: Final = _message("tensorflow.Example")
SignatureDef: Final = _message("tensorflow.SignatureDef")
TensorInfo: Final = _message("tensorflow.TensorInfo")

ModelSpec: Final = _message("tensorflow.serving.ModelSpec")
PredictRequest: Final = _message("tensorflow.serving.PredictRequest")
PredictResponse: Final = _message("tensorflow.serving.PredictResponse")
ClassificationRequest: Final = _message("tensorflow.serving.ClassificationRequest")
ClassificationResult: Final = _message("tensorflow.serving.ClassificationResult")
ClassificationResponse: Final = _message("tensorflow.serving.ClassificationResponse")
RegressionRequest: Final = _message("tensorflow.serving.RegressionRequest")
RegressionResult: Final = _message("tensorflow.serving.RegressionResult")
RegressionResponse: Final = _message("tensorflow.serving.RegressionResponse")
MultiInferenceRequest: Final = _message("tensorflow.serving.MultiInferenceRequest")
MultiInferenceResponse: Final = _message("tensorflow.serving.MultiInferenceResponse")
GetModelMetadataRequest: Final = _message("tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse: Final = _message("tensorflow.serving.GetModelMetadataResponse")
SignatureDefMap: Final = _message("tensorflow.serving.SignatureDefMap")
GetModelStatusRequest: Final = _message("tensorflow.serving.GetModelStatusRequest")
GetModelStatusResponse: Final = _message("tensorflow.serving.GetModelStatusResponse")
ModelVersionStatus: Final = _message("tensorflow.serving.ModelVersionStatus")
MonitoringConfig: Final = _message("tensorflow.serving.MonitoringConfig")
SSLConfig: Final = _message("tensorflow.serving.SSLConfig")
ProfileRequest: Final = _message("tensorflow.serving.ProfileRequest")
ProfileResponse: Final = _message("tensorflow.serving.ProfileResponse")
BatchingParameters: Final = _message("tensorflow.serving.BatchingParameters")
PredictionLog: Final = _message("tensorflow.serving.PredictionLog")
ModelServerConfig: Final = _message("tensorflow.serving.ModelServerConfig")
ReloadConfigRequest: Final = _message("tensorflow.serving.ReloadConfigRequest")
ReloadConfigResponse: Final = _message("tensorflow.serving.ReloadConfigResponse")

# Enum numbers by name, e.g. DT_FLOAT: 1 and AVAILABLE: 30.
DATA_TYPES: Final[dict[str, int]] = {
    value.name: value.number for value in POOL.FindEnumTypeByName("tensorflow.DataType").values
}
VERSION_STATES: Final[dict[str, int]] = {
    value.name: value.number for value in POOL.FindEnumTypeByName("tensorflow.serving.ModelVersionStatus.State").values
}
