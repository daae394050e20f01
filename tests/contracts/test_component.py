from pathlib import Path

import pytest
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_executor import EmptyExecutor
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from contracts.component import channel_of, check_component
from roadworthy.components.ingest.executor import Executor


class CopySpec(ComponentSpec):
    PARAMETERS = {"options": ExecutionParameter(type=dict)}  # noqa: RUF012
    INPUTS = {"model": ChannelParameter(type=standard_artifacts.Model)}  # noqa: RUF012
    OUTPUTS = {}  # noqa: RUF012


class Copy(BaseComponent):
    SPEC_CLASS = CopySpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(self, **options: object) -> None:
        super().__init__(CopySpec(model=channel_of(standard_artifacts.Model), options=options))


class ElsewhereExecutor(EmptyExecutor):
    """Lives in a test, which no worker has."""


def test_a_sound_component_passes():
    check_component(Copy(epochs=1))


def test_a_parameter_that_is_no_json_is_caught():
    with pytest.raises((AssertionError, TypeError), match=r"JSON"):
        check_component(Copy(path=Path("/data")))


def test_an_executor_that_is_not_installed_is_caught():
    class Elsewhere(Copy):
        EXECUTOR_SPEC = ExecutorClassSpec(ElsewhereExecutor)

    with pytest.raises((AssertionError, ImportError)):
        check_component(Elsewhere(epochs=1))
