"""Executor of `ServingCheck`: what the gate chose, on a server, before it is pushed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from roadworthy.components.artifacts import Artifacts, split_globs
from roadworthy.components.gate.blessing import is_blessed
from roadworthy.components.serving_check.infra_blessing import write_infra_blessing
from roadworthy.components.serving_check.rehearsal import REHEARSAL_FILE, Rehearsal
from roadworthy.components.serving_check.rehearse import rehearse
from roadworthy.components.serving_check.settings import RehearsalSettings
from roadworthy.components.serving_check.warm_up import write_warm_up
from roadworthy.serving.manifest import write_manifest

# Of the one model the server of a rehearsal is given.
_VERSION: Final = 1
NOTHING_CHOSEN: Final = "The gate chose no model, so there was nothing to rehearse."


class ServingCheckExecutor(BaseExecutor):
    """Rehearses the model the gate blessed."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Writes `rehearsal.json`, the blessing, and the model with its warm-up records."""
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        model = artifact_utils.get_single_instance(input_dict["model"])
        if is_blessed(artifact_utils.get_single_instance(input_dict["model_blessing"])):
            rehearsal = _rehearsed(model, blessing, input_dict["examples"], exec_properties)
        else:
            rehearsal = Rehearsal(faults=(NOTHING_CHOSEN,))
        (Path(blessing.uri) / REHEARSAL_FILE).write_text(rehearsal.model_dump_json(indent=2) + "\n")
        write_infra_blessing(blessing, blessed=rehearsal.passed, has_model=rehearsal.passed)


def _rehearsed(model: Any, blessing: Any, examples: list[Any], exec_properties: dict[str, Any]) -> Rehearsal:
    """Rehearses a copy with its warm-up records, which is what will be pushed."""
    from roadworthy.models.measure.records import serialized_batches

    settings = RehearsalSettings.model_validate_json(exec_properties["settings"])
    name = exec_properties["name"]
    stamped = Path(path_utils.stamped_model_path(blessing.uri))
    io_utils.copy_dir(path_utils.serving_model_dir(model.uri), str(stamped))
    files = split_globs(examples, exec_properties["split"])
    asked = list(next(serialized_batches(files, batch_size=settings.requests)))
    write_warm_up(stamped, name, asked[: settings.warm_up_requests])
    with _as_version(stamped) as version_dir:
        return rehearse(version_dir, name=name, examples=asked, settings=settings)


@contextmanager
def _as_version(model_dir: Path) -> Iterator[Path]:
    """The same files in a version folder with a manifest, as a push leaves it; hard links, so nothing is copied."""
    base_path = model_dir.with_name("served")
    version_dir = base_path / str(_VERSION)
    try:
        shutil.copytree(model_dir, version_dir, copy_function=os.link)
        write_manifest(version_dir)
        yield version_dir
    finally:
        shutil.rmtree(base_path, ignore_errors=True)
