"""How our server batches where it is measured with batching."""

from typing import Final

from bench.claims import ROOT
from bench.serving.turns import CLIENTS

# As many batches at a time as there are cores, and together as many requests in them as there are clients.
THREADS: Final = 2
MAX_BATCH: Final = CLIENTS // THREADS
# Clients need that long between an answer and their next request; a batch that is not full by then goes without it.
TIMEOUT_MICROS: Final = 5_000
ENQUEUED_BATCHES: Final = 8
_FOLDER: Final = ROOT / "runs" / "bench-serving"


def batching_flags(*, workers: int = 1) -> tuple[str, ...]:
    """TF Serving's two flags, and ours where several processes share the threads; the file they name is written."""
    fields = {
        "max_batch_size": MAX_BATCH,
        "batch_timeout_micros": TIMEOUT_MICROS,
        "num_batch_threads": THREADS // workers,
        "max_enqueued_batches": ENQUEUED_BATCHES,
    }
    file = _FOLDER / f"batching-{workers}.config"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{name} {{ value: {value} }}\n" for name, value in fields.items()))
    return ("--enable_batching", f"--batching_parameters_file={file}", f"--workers={workers}")
