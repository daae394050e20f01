"""What an exported model weighs on disk, and on the wire when it is gzipped."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from zstandard import ZstdCompressor

from roadworthy.models.measure.results import Size
from roadworthy.serving.contract import CARD_PATH
from roadworthy.serving.errors import ModelError
from roadworthy.serving.manifest import MANIFEST_FILE

_CHUNK_BYTES: Final = 1 << 20
_GZIP_LEVEL: Final = 9
_ZSTD_LEVEL: Final = 19
_GZIP_CONTAINER: Final = 31  # zlib's window bits for 32 KiB with a gzip header


def measure_size(version_dir: Path) -> Size:
    """Sums the bytes of the files a server loads; the card and the manifest are ours and left out.

    Args:
        version_dir: an exported version folder.

    Returns:
        Bytes as they are, gzipped at level 9 and by Zstandard at level 19, file by file, read in pieces.

    Raises:
        ModelError: the folder holds no such file.
    """
    paths = list(_servable_files(version_dir))
    if not paths:
        raise ModelError(f"{version_dir} must be the folder of an exported model. Received: no file of one.")
    return Size(
        raw_bytes=sum(path.stat().st_size for path in paths),
        gzip_bytes=sum(_packed_bytes(path, zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_CONTAINER)) for path in paths),
        zstd_bytes=sum(_packed_bytes(path, ZstdCompressor(level=_ZSTD_LEVEL).compressobj()) for path in paths),
    )


def _servable_files(version_dir: Path) -> Iterator[Path]:
    own = {Path(CARD_PATH).parts[0], MANIFEST_FILE}
    for path in sorted(version_dir.rglob("*")):
        if path.is_file() and path.relative_to(version_dir).parts[0] not in own:
            yield path


def _packed_bytes(path: Path, compressor: Any) -> int:
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            size += len(compressor.compress(chunk))
    return size + len(compressor.flush())
