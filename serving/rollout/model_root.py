"""A model root and the config file of its servers as something that versions are rolled out on.

`MODEL_ROOT/<name>/rollout.json` says which versions run, whose traffic they are, and what they are called; the servers'
config file follows from it, and clients read their share of the canary there. Each change is one rename of it.
"""

import functools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from roadworthy.serving.client import AskError, Client
from roadworthy.serving.client.split import CANARY, CANARY_PERCENT, ROLLOUT_FILE, STABLE
from roadworthy.serving.contract import IMAGE_INPUT, IMAGE_SIGNATURE, LABEL
from roadworthy.serving.errors import DeployError, ServeError
from roadworthy.serving.manifest import MANIFEST_FILE
from roadworthy.serving.repository import check_push, publish, version_dirs
from roadworthy.serving.rollout.actions import Answered
from roadworthy.serving.rollout.digest import digest_label
from roadworthy.serving.rollout.state import CHALLENGER, CHAMPION, DIGEST, Deployed, Seen, Version
from roadworthy.serving.rollout.writing import write_aside

_POLL_S: Final = 0.1
_RUNNING: Final = "percents"
_ALIASES: Final = "aliases"
_LABELS: Final = "labels"


class ModelRootTarget:
    """The versions of one model below a model root; implements `roadworthy.serving.rollout.actions.Target`."""

    def __init__(
        self,
        model_root: Path,
        name: str,
        *,
        config_file: Path,
        server: str,
        version_dir: Path | None = None,
        available_s: float = 600.0,
    ) -> None:
        """Reads and asks nothing yet.

        Args:
            model_root: folder of models.
            name: the model's.
            config_file: ModelServerConfig that the servers poll; other models in it stay as they are.
            server: HOST:PORT of gRPC of one of the servers.
            version_dir: what `upload` publishes; None where nothing is.
            available_s: longest time for that server to take a change up.

        Raises:
            DeployError: the version folder holds no model, or an unfit name.
        """
        if version_dir is not None:
            check_push(version_dir, name)
        self._root, self._name, self._dir = model_root, name, model_root / name
        self._config_file, self._server = config_file, server
        self._version_dir, self._available_s = version_dir, available_s
        self._digests: dict[Path, dict[str, str]] = {}

    def look(self) -> Seen:
        """Versions and what runs of them. The config file is written again if an interruption left it behind."""
        state = self._read()
        if state is not None:
            self._write_config(state)
        folders = version_dirs(self._dir)
        state = state or {}
        versions = tuple(
            Version(
                number,
                frozenset(alias for alias, of in state.get(_ALIASES, {}).items() if of == number),
                {**self._digest(folder), **state.get(_LABELS, {}).get(str(number), {})},
            )
            for number, folder in sorted(folders.items())
        )
        running = state.get(_RUNNING)
        if running is None:
            return Seen(versions, None)
        return Seen(versions, tuple(Deployed(one, int(one), share) for one, share in sorted(running.items())))

    def upload(self) -> None:
        """Publishes the version folder below the model root."""
        if self._version_dir is None:
            raise DeployError("A model must be given to publish. Received: none.")
        published = publish(self._version_dir, model_root=self._root, name=self._name)
        self.alias(published.version, add=(CHALLENGER,))

    def create_endpoint(self) -> None:
        """Begins the list of what runs."""
        self._change(lambda state: state.setdefault(_RUNNING, {}))

    def deploy(self, version: int) -> None:
        """Has the servers load a version, and waits until one of them has."""
        self._change(lambda state: state[_RUNNING].setdefault(str(version), 0))
        self._wait(f"load version {version}", functools.partial(self._answers, version=version))

    def share(self, percents: Mapping[int, int]) -> None:
        """Splits the traffic, and labels who has some of it."""

        def split(state: dict[str, Any]) -> None:
            state[_RUNNING] = {one: percents.get(int(one), 0) for one in state[_RUNNING]}

        state = self._change(split)
        for label, version in _labelled(state).items():
            self._wait(f"call version {version} {label}", functools.partial(self._answers, label=label))

    def undeploy(self, deployed_id: str) -> None:
        """Has the servers unload a version; its files stay."""
        self._change(lambda state: state[_RUNNING].pop(deployed_id, None))

    def alias(self, version: int, *, add: Sequence[str] = (), drop: Sequence[str] = ()) -> None:
        """Gives and takes names."""

        def named(state: dict[str, Any]) -> None:
            names = state.setdefault(_ALIASES, {})
            for alias in drop:
                if names.get(alias) == version:
                    del names[alias]
            names.update(dict.fromkeys(add, version))

        self._change(named)

    def label(self, version: int, key: str, value: str | None) -> None:
        """Notes something of a version, or takes a note away."""

        def noted(state: dict[str, Any]) -> None:
            notes = state.setdefault(_LABELS, {}).setdefault(str(version), {})
            notes.pop(key, None)
            if value is not None:
                notes[key] = value

        self._change(noted)

    def ask(self, images: Sequence[bytes], *, prefer: int) -> Answered:
        """Classifies images by the version that is preferred; here it can be asked by itself."""
        with Client.open(self._server, timeout_s=30.0) as client:
            started = time.monotonic()
            inputs = {IMAGE_INPUT: list(images)}
            found = client.predict(self._name, inputs, signature=IMAGE_SIGNATURE, outputs=(LABEL,), version=prefer)
            seconds = time.monotonic() - started
        return Answered(prefer, tuple(label.decode() for label in found[LABEL]), seconds)

    def _digest(self, folder: Path) -> dict[str, str]:
        """The label of a version's files, which never change; none of a version that was put there by hand."""
        if folder not in self._digests:
            listed = (folder / MANIFEST_FILE).is_file()
            self._digests[folder] = {DIGEST: digest_label(folder)} if listed else {}
        return self._digests[folder]

    def _answers(self, client: Client, *, version: int | None = None, label: str | None = None) -> bool:
        try:
            told = client.status(self._name, version=version, label=label, timeout_s=5.0)
        except AskError:
            return False
        return any(one.state == "AVAILABLE" for one in told)

    def _wait(self, what: str, done: Callable[[Client], bool]) -> None:
        until = time.monotonic() + self._available_s
        with Client.open(self._server) as client:
            while not done(client):
                if time.monotonic() >= until:
                    raise DeployError(
                        f"{self._server} must {what} of {self._name} within {self._available_s:g} s. Received: it did "
                        f"not. Does it poll {self._config_file} (--model_config_file_poll_wait_seconds), and what does "
                        "its log say?"
                    )
                time.sleep(_POLL_S)

    def _read(self) -> dict[str, Any] | None:
        path = self._dir / ROLLOUT_FILE
        try:
            state = json.loads(path.read_text())
            if not isinstance(state, dict):
                raise TypeError(f"{type(state).__name__}, not an object")
            return {key: dict(state[key]) for key in (_RUNNING, _ALIASES, _LABELS) if key in state}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise DeployError(f"{path} must be of a rollout. Received: {error!r}.") from error

    def _change(self, change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """One change of the file, in one rename; the servers' config follows."""
        state = self._read() or {}
        change(state)
        labelled, running = _labelled(state), state.get(_RUNNING, {})
        canary = running.get(str(labelled.get(CANARY)), 0)
        text = json.dumps({**state, CANARY_PERCENT: canary}, indent=2) + "\n"
        try:
            self._dir.mkdir(parents=True, exist_ok=True)
            write_aside(self._dir / ROLLOUT_FILE, text)
        except OSError as error:
            raise DeployError(f"{self._dir} must take a file. Received: {error}. Nothing was changed.") from error
        self._write_config(state)
        return state

    def _write_config(self, state: Mapping[str, Any]) -> None:
        from google.protobuf import text_format

        from roadworthy.serving import protos
        from roadworthy.serving.server.text_proto import read_text_proto

        try:
            config = protos.ModelServerConfig()
            if self._config_file.exists():
                config = read_text_proto(self._config_file, protos.ModelServerConfig)
            before = text_format.MessageToString(config)
            _put_model(config.model_config_list.config, self._name, self._dir, state)
            if text_format.MessageToString(config) != before:
                self._config_file.parent.mkdir(parents=True, exist_ok=True)
                write_aside(self._config_file, text_format.MessageToString(config))
        except ServeError as error:
            raise DeployError(str(error)) from error
        except OSError as error:
            raise DeployError(f"{self._config_file} must be writable. Received: {error}.") from error


def _put_model(models: Any, name: str, folder: Path, state: Mapping[str, Any]) -> None:
    """Sets a model's entry to what runs; without anything to run there is none."""
    running = sorted(int(one) for one in state.get(_RUNNING, {}))
    place = next((place for place, model in enumerate(models) if model.name == name), None)
    if place is not None:
        del models[place]
    if not running:
        return
    entry = models.add(name=name, base_path=str(folder.resolve()), model_platform="tensorflow")
    entry.model_version_policy.specific.versions.extend(running)
    for label, version in _labelled(state).items():
        entry.version_labels[label] = version


def _labelled(state: Mapping[str, Any]) -> dict[str, int]:
    """Labels of the versions that run: `stable` is the champion, or the only one; `canary` has a share beside it."""
    aliases, running = state.get(_ALIASES, {}), state.get(_RUNNING, {})
    shares = {int(one): share for one, share in running.items() if share}
    champion, challenger = aliases.get(CHAMPION), aliases.get(CHALLENGER)
    labels = {}
    if champion is not None and str(champion) in running:
        labels[STABLE] = champion
    if challenger in shares:
        labels[CANARY] = challenger
        labels.setdefault(STABLE, challenger)
    return labels
