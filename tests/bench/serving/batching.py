"""How our server batches where it is measured with batching."""

from typing import Final

from bench.claims import ROOT
from bench.serving.turns import CLIENTS

# With as many clients a full batch is all there is to wait for, and the time-out only bounds the wait for stragglers.
MAX_BATCH: Final = CLIENTS
TIMEOUT_MICROS: Final = 2_000
# As many as there are cores.
THREADS: Final = 2
ENQUEUED_BATCHES: Final = 4
_FILE: Final = ROOT / "runs" / "bench-serving" / "batching.config"


def batching_flags() -> tuple[str, ...]:
    """TF Serving's two flags; the file they name is written."""
    fields = {
        "max_batch_size": MAX_BATCH,
        "batch_timeout_micros": TIMEOUT_MICROS,
        "num_batch_threads": THREADS,
        "max_enqueued_batches": ENQUEUED_BATCHES,
    }
    _FILE.parent.mkdir(parents=True, exist_ok=True)
    _FILE.write_text("".join(f"{name} {{ value: {value} }}\n" for name, value in fields.items()))
    return ("--enable_batching", f"--batching_parameters_file={_FILE}")
