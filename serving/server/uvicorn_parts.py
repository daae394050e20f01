"""What the server takes of uvicorn, without its command line.

Uvicorn's package imports its command line, and with it click and multiprocessing: a tenth of the time in which a
server of a LiteRT model starts. So its modules are imported as if the package's own file were empty; whoever imports
uvicorn later gets the whole of it, around the same modules.
"""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

_PACKAGE = "uvicorn"
_known = _PACKAGE in sys.modules
if not _known:
    _spec = PathFinder.find_spec(_PACKAGE)
    if _spec is None:
        raise ModuleNotFoundError(f"No module named {_PACKAGE!r}", name=_PACKAGE)
    sys.modules[_PACKAGE] = _package = module_from_spec(_spec)
try:
    from uvicorn.config import Config

    if not _known:
        # The modules below expect it there.
        _package.Config = Config  # type: ignore[attr-defined]
    from uvicorn.lifespan.off import LifespanOff
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    from uvicorn.server import Server
finally:
    if not _known:
        del sys.modules[_PACKAGE]

__all__ = ["Config", "HttpToolsProtocol", "LifespanOff", "Server"]
