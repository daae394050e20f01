"""What a worker serves: the versions that its supervisor had it load, and what it was told to tell of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from roadworthy.serving.servables.base import Servable
from roadworthy.serving.server.manager import open_warm
from roadworthy.serving.server.served import Served, Told
from roadworthy.serving.server.version import Version
from roadworthy.serving.server.workers.table import Table


class Follower(Served):
    """Decides nothing: a version is answered from `serve` to `unload`, and is told of as in the newest table."""

    def __init__(self, open_version: Callable[[Path], Servable], reload_asked: Callable[[Any], None]) -> None:
        """Serves nothing yet.

        Args:
            open_version: loads the version in a folder.
            reload_asked: passes on a client's `ModelServerConfig`; raises RequestError.
        """
        super().__init__()
        self._open_version = open_version
        self._pass_on = reload_asked
        self._waiting: dict[tuple[str, int], Servable] = {}
        self._table = Table()

    def load(self, name: str, number: int, path: Path) -> None:
        """Loads a version, which lets no request in yet.

        Raises:
            ServeError: as `open_warm`.
        """
        self._waiting[name, number] = open_warm(path, open_version=self._open_version)
        with self._lock:
            self._models.setdefault(name, {})[number] = Version(number, path)

    def serve(self, name: str, number: int) -> None:
        """Lets requests in to a version that is loaded."""
        self._models[name][number].serve(self._waiting.pop((name, number)))

    def unload(self, name: str, number: int) -> None:
        """Unloads a version, once the last request in it is done; of one that isn't there nothing happens."""
        waiting = self._waiting.pop((name, number), None)
        if waiting is not None:
            waiting.close()
        version = self._models.get(name, {}).get(number)
        if version is None:
            return
        version.unload()
        with self._lock:
            del self._models[name][number]
            if not self._models[name]:
                del self._models[name]

    def take(self, table: Table) -> None:
        """Tells of models and versions what the table does, from now on."""
        with self._lock:
            self._table, self._configs = table, dict(table.configs)

    def unload_all(self) -> None:
        """Unloads everything, once the requests inside are done."""
        for name, known in list(self._models.items()):
            for number in list(known):
                self.unload(name, number)

    def models(self) -> list[str]:
        """The names of the models that are served, or should be."""
        return sorted(self._table.configs.keys() | self._table.versions.keys())

    def reload_asked(self, message: Any) -> None:
        """Has the supervisor decide.

        Raises:
            RequestError: as `Manager.reload_asked`.
        """
        self._pass_on(message)

    def _told(self, name: str) -> list[Told]:
        return list(self._table.versions.get(name, ()))
