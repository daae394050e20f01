"""Which of two labelled versions a request goes to, by a key of its own: the client's part of a rollout."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from roadworthy.serving.client.errors import InvalidOption

STABLE: Final = "stable"
CANARY: Final = "canary"
ROLLOUT_FILE: Final = "rollout.json"
CANARY_PERCENT: Final = "canary_percent"
_BYTES: Final = 8
_ALL: Final = 100


@dataclass(frozen=True)
class Split:
    """A share of the keys for the canary.

        split = Split.read(Path("/models/fashion"))
        client.predict("fashion", images, label=split.label(user_id))

    Attributes:
        canary_percent: of the keys, in [0, 100]. As it rises, keys that had the canary keep it.
    """

    canary_percent: float

    def __post_init__(self) -> None:
        if not 0 <= self.canary_percent <= _ALL:
            raise InvalidOption(f"canary_percent must be in [0, 100]. Received: {self.canary_percent}.")

    @classmethod
    def read(cls, model_dir: Path) -> "Split":
        """The share that a rollout has come to, from the file it keeps in the model's folder.

        Raises:
            InvalidOption: there is a file, and it is none of a rollout's.
        """
        path = model_dir / ROLLOUT_FILE
        try:
            return cls(float(json.loads(path.read_text())[CANARY_PERCENT]))
        except FileNotFoundError:
            return cls(0)
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise InvalidOption(f"{path} must be of a rollout. Received: {error!r}.") from error

    def label(self, key: str | bytes) -> str:
        """The label for a key, such as a user's id: the same key gets the same label, on every machine.

        Args:
            key: any text or bytes.
        """
        raw = key.encode() if isinstance(key, str) else key
        place = int.from_bytes(hashlib.blake2b(raw, digest_size=_BYTES).digest(), "big") / 2 ** (8 * _BYTES)
        return CANARY if place * _ALL < self.canary_percent else STABLE
