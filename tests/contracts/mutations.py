"""Requests that are almost right: bytes changed by a seeded hand, so that every run makes the same ones."""

import random
from collections.abc import Sequence
from typing import Final

# What lengths, sizes and tags turn into: nothing, one, the ends of their ranges, and two gigabytes.
_NUMBERS: Final = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_MOST_CHANGES: Final = 4
_LONGEST_PIECE: Final = 64


class Mutator:
    """Changes bytes in one to four places."""

    def __init__(self, seed: int, *, others: Sequence[bytes] = ()) -> None:
        """Begins a sequence.

        Args:
            seed: of the sequence.
            others: pieces of these are put into what is changed.
        """
        self._random = random.Random(seed)  # noqa: S311 nothing secret
        self._others = [other for other in others if other]

    def choose(self, among: Sequence):
        """One of several."""
        return self._random.choice(among)

    def chance(self, share: float) -> bool:
        """Whether something happens that does so in a share of the cases."""
        return self._random.random() < share

    def mutated(self, data: bytes) -> bytes:
        """The bytes, changed."""
        changed = bytearray(data)
        for _ in range(self._random.randint(1, _MOST_CHANGES)):
            self._random.choice((self._flip, self._number, self._cut, self._repeat, self._noise, self._splice))(changed)
        return bytes(changed)

    def _piece(self, length: int) -> slice:
        start = self._random.randint(0, length)
        return slice(start, min(length, start + self._random.randint(1, _LONGEST_PIECE)))

    def _flip(self, data: bytearray) -> None:
        if data:
            data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)

    def _number(self, data: bytearray) -> None:
        at, size = self._random.randint(0, len(data)), self._random.choice((1, 2, 3, 4, 8))
        number = self._random.choice(_NUMBERS) & (256**size - 1)
        data[at : at + size] = number.to_bytes(size, self._random.choice(("big", "little")))

    def _cut(self, data: bytearray) -> None:
        del data[self._piece(len(data))]

    def _repeat(self, data: bytearray) -> None:
        piece = self._piece(len(data))
        data[piece.start : piece.start] = data[piece] * self._random.choice((1, 2, 50))

    def _noise(self, data: bytearray) -> None:
        at = self._random.randint(0, len(data))
        data[at:at] = self._random.randbytes(self._random.randint(1, _LONGEST_PIECE))

    def _splice(self, data: bytearray) -> None:
        if self._others:
            other = self._random.choice(self._others)
            data[self._piece(len(data))] = other[self._piece(len(other))]
