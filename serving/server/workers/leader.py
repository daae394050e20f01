"""The manager of a server of several processes: it decides what is served, and has the workers do so."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from roadworthy.serving.servables.base import Servable, Signature
from roadworthy.serving.server.loop_thread import LoopThread
from roadworthy.serving.server.manager import Loading, Manager, Source
from roadworthy.serving.server.version import Version
from roadworthy.serving.server.workers.crew import Crew
from roadworthy.serving.server.workers.table import Table
from roadworthy.serving.status import RequestError


class Leader(Manager):
    """Loads every version in all workers or in none, and tells clients of it once all of them answer for it."""

    def __init__(
        self,
        source: Source,
        crew: Crew,
        loop: LoopThread,
        *,
        loading: Loading,
    ) -> None:
        """Loads nothing yet.

        Args:
            source: gives the models to serve, as of `Manager`.
            crew: the workers.
            loop: whose thread the crew belongs to.
            loading: how often versions are looked for and tried again.
        """
        super().__init__(source, loading=loading)
        self._crew, self._loop = crew, loop

    def _opened(self, name: str, version: Version) -> Servable:
        self._loop.run(self._crew.hold(name, version.number, version.path))
        return _Elsewhere(lambda: self._let_go(name, version.number))

    def _let_go(self, name: str, number: int) -> None:
        # Clients are told that it goes before the first of the workers refuses it.
        self._changed()
        self._loop.run(self._crew.let_go(name, number))

    def _changed(self) -> None:
        with self._lock:
            configs = dict(self._configs)
        table = Table(configs, {name: self._told(name) for name in self.models()})
        self._loop.run(self._crew.tell(table))


class _Elsewhere(Servable):
    """A version that workers hold; nobody asks this process for it."""

    signatures: Mapping[str, Signature] = {}
    card = None
    at_once = None

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = close

    def predict(
        self, signature: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        raise RequestError("Requests are answered by the workers. Received: one at the supervisor.", code="INTERNAL")

    def batch_sizes(self, signature: str) -> Sequence[int]:
        return ()

    def close(self) -> None:
        self._close()
