"""Images that are cheap to make, for decoders to agree on or to refuse."""

import io
import zlib

import numpy as np
from PIL import Image


def pixels(seed: int, *, height: int = 40, width: int = 48) -> np.ndarray:
    """Smooth colour waves, so that JPEG has something like a photo to work on; uint8[height, width, 3]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x * a + y * b + c) for a, b, c in rng.uniform(0.05, 0.6, (3, 3))]
    return np.uint8(np.stack(waves, axis=-1) * 120 + 128)


def encode(image: np.ndarray | Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    """The bytes of an image file."""
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, file_format, **options)
    return buffer.getvalue()


def png_bomb(side: int = 30_000) -> bytes:
    """A small PNG whose header and data promise side x side pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    # As many zeros as a third of the rows need; deflate makes a thousandth of them.
    data = zlib.compress(bytes(side * 3 + 1) * (side // 3_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
