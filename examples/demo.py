"""The whole way on real images: run the pipeline, serve what it pushed, ask about images it never saw.

Uses only the public command line, as a user would: `make demo`, or `python examples/demo.py`.
"""

import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROADWORTHY = [sys.executable, "-m", "roadworthy.pipeline.cli.main"]
CONFIG = ROOT / "examples" / "fashion.yaml"
ASKED = ROOT / "data" / "fashion-mnist" / "test"
SERVED = ROOT / "served"
READY = re.compile(r"gRPC (\S+:\d+), REST http://(\S+:\d+)")
START_TIMEOUT_S = 120


def main() -> int:
    """Returns the exit code: 0 when everything worked, else that of the step that failed."""
    started = time.monotonic()
    print("== run: data, training, compression, scorecard, gate, push", flush=True)
    if code := subprocess.call([*ROADWORTHY, "run", str(CONFIG)], cwd=ROOT):
        return code
    print("\n== ask: two test images of each class, from Fashion-MNIST's own test set", flush=True)
    fetch = ["data", "fashion-mnist", "--split", "test", "--images-per-class", "2", "--out", str(ASKED)]
    if code := subprocess.call([*ROADWORTHY, *fetch], cwd=ROOT):
        return code
    if code := serve_and_ask(sorted(ASKED.glob("*/*.png"))):
        return code
    print(f"\nAll of it in {time.monotonic() - started:.0f} s.")
    return 0


def serve_and_ask(images: list[Path]) -> int:
    """Starts the server on free ports, asks it over both transports, and stops it again."""
    command = [*ROADWORTHY, "serve", str(SERVED), "--grpc-port", "0", "--rest-port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        watchdog = threading.Timer(START_TIMEOUT_S, server.kill)
        watchdog.start()
        try:
            ready = next((found for line in server.stdout or () if (found := READY.search(line))), None)
            if ready is None:
                print("demo: the server did not start; its message is above.", file=sys.stderr)
                return 1
            print(ready.string.strip())
            answers = [ask(ready.group(place), transport, images) for place, transport in ((1, "grpc"), (2, "rest"))]
        except subprocess.CalledProcessError as error:
            return error.returncode
        finally:
            watchdog.cancel()
            server.terminate()
    return compare(images, *answers)


def ask(server: str, transport: str, images: list[Path]) -> list[dict[str, str]]:
    """The server's answer for each image, in order."""
    command = [*ROADWORTHY, "predict", "--server", server, "--model", "fashion", "--transport", transport, "--json"]
    lines = subprocess.run(
        [*command, *map(str, images)], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return [json.loads(line) for line in lines.splitlines()]


def compare(images: list[Path], grpc: list[dict[str, str]], rest: list[dict[str, str]]) -> int:
    """Prints truth beside both answers; the transports must agree."""
    print(f"{'image':<24} {'truth':<12} {'gRPC':<12} {'score':>6}  {'REST':<12} {'score':>6}")
    for image, first, second in zip(images, grpc, rest, strict=True):
        mark = "" if first["label"] == image.parent.name else "  wrong"
        name = f"{image.parent.name}/{image.name}"
        print(
            f"{name:<24} {image.parent.name:<12} {first['label']:<12} {first['score']:>6.3f}  "
            f"{second['label']:<12} {second['score']:>6.3f}{mark}"
        )
    right = sum(answer["label"] == image.parent.name for image, answer in zip(images, grpc, strict=True))
    print(f"{right} of {len(images)} right.")
    if [answer["label"] for answer in grpc] != [answer["label"] for answer in rest]:
        print("demo: gRPC and REST must give the same answers; they differ above.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
