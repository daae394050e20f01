"""Providers with the true schemas of Google's and no cloud behind them, for Terraform to attach to.

Terraform's core checks every configuration against the schema that a provider announces; that part is real here. What
the real provider checks itself (enumerations, patterns, conflicts) and what Google checks is not.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from os import getpid
from typing import Any, Final

import grpc
import msgpack
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc

from terraform_check.made_up import made_up

ADDRESS: Final = "registry.terraform.io/hashicorp/{}"
_NESTING: Final = {"single": 1, "list": 2, "set": 3, "map": 4}
_UNKNOWN: Final = msgpack.ExtType(0, b"\x00")
_LARGEST_MESSAGE: Final = 256 << 20
_ATTACHED: Final = {"Protocol": "grpc", "ProtocolVersion": 6, "Test": True}


@contextmanager
def serving(schemas: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, str]]:
    """Serves each provider's schema on a socket of its own.

    Yields:
        The environment with which Terraform finds them.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        about = {}
        for name, schema in schemas.items():
            server = _start(schema, f"{folder}/{name}")
            running.callback(lambda server=server: server.stop(None).wait())
            address = {"Network": "unix", "String": f"{folder}/{name}"}
            about[ADDRESS.format(name)] = _ATTACHED | {"Pid": getpid(), "Addr": address}
        yield {"TF_REATTACH_PROVIDERS": json.dumps(about)}


def _start(schema: dict[str, Any], socket: str) -> grpc.Server:
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_send_message_length", _LARGEST_MESSAGE)])
    rpc.add_ProviderServicer_to_server(_Provider(schema), server)
    server.add_insecure_port(f"unix://{socket}")
    server.start()
    return server


class _Provider(rpc.ProviderServicer):
    """Terraform's plugin protocol, version 6, as far as validate, test, plan and apply ask for it."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema

    def GetMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.GetMetadata.Response(
            server_capabilities=pb.ServerCapabilities(get_provider_schema_optional=True),
            resources=[{"type_name": name} for name in self._schema["resources"]],
            data_sources=[{"type_name": name} for name in self._schema["data_sources"]],
        )

    def GetProviderSchema(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.GetProviderSchema.Response(
            server_capabilities=pb.ServerCapabilities(get_provider_schema_optional=True),
            provider=_message(self._schema["provider"]),
            resource_schemas={name: _message(block) for name, block in self._schema["resources"].items()},
            data_source_schemas={name: _message(block) for name, block in self._schema["data_sources"].items()},
        )

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ValidateDataResourceConfig.Response()

    def ConfigureProvider(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ConfigureProvider.Response()

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.UpgradeResourceState.Response(upgraded_state=_encode(json.loads(request.raw_state.json)))

    def ReadResource(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ReadResource.Response(new_state=request.current_state)

    def PlanResourceChange(self, request: Any, context: Any) -> Any:  # noqa: N802
        proposed = _decode(request.proposed_new_state)
        if proposed is None:
            return pb.PlanResourceChange.Response(planned_state=request.proposed_new_state)
        planned = _fill(self._schema["resources"][request.type_name], proposed, lambda name, kind: _UNKNOWN)
        return pb.PlanResourceChange.Response(planned_state=_encode(planned))

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:  # noqa: N802
        planned = _decode(request.planned_state)
        if planned is None:
            return pb.ApplyResourceChange.Response(new_state=request.planned_state)
        state = _fill(self._schema["resources"][request.type_name], planned, made_up(request.type_name, planned))
        return pb.ApplyResourceChange.Response(new_state=_encode(state))

    def ReadDataSource(self, request: Any, context: Any) -> Any:  # noqa: N802
        block, config = self._schema["data_sources"][request.type_name], _decode(request.config)
        return pb.ReadDataSource.Response(state=_encode(_fill(block, config, made_up(request.type_name, config))))

    def GetFunctions(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.GetFunctions.Response()

    def StopProvider(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.StopProvider.Response()


def _message(block: dict[str, Any]) -> Any:
    return pb.Schema(version=0, block=_block(block))


def _block(block: dict[str, Any]) -> Any:
    made = pb.Schema.Block(version=0)
    for name, each in block["attributes"].items():
        flags = {flag: each.get(flag, False) for flag in ("computed", "optional", "required")}
        made.attributes.add(name=name, type=json.dumps(each["type"]).encode(), **flags)
    for name, each in block["blocks"].items():
        made.block_types.add(
            type_name=name,
            block=_block(each["block"]),
            nesting=_NESTING[each["nesting"]],
            min_items=each["min_items"],
            max_items=each["max_items"],
        )
    return made


def _decode(value: Any) -> Any:
    if value.msgpack:
        return msgpack.unpackb(value.msgpack, ext_hook=lambda code, data: _UNKNOWN)
    return json.loads(value.json) if value.json else None


def _encode(value: Any) -> Any:
    return pb.DynamicValue(msgpack=msgpack.packb(value))


def _fill(block: dict[str, Any], value: Any, fill: Callable[[str, Any], Any]) -> Any:
    """Gives a value to every computed attribute that has none."""
    if not isinstance(value, dict):
        return value
    for name, each in block["attributes"].items():
        if each.get("computed") and value.get(name) in (None, _UNKNOWN):
            value[name] = fill(name, each["type"])
    for name, each in block["blocks"].items():
        below = value.get(name)
        if isinstance(below, list):
            value[name] = [_fill(each["block"], one, fill) for one in below]
        elif isinstance(below, dict) and name != "timeouts":
            value[name] = _fill(each["block"], below, fill)
    return value
