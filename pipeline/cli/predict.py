"""`roadworthy predict`: ask a model server about files, however many."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from roadworthy.pipeline.cli.options import refuse_options

if TYPE_CHECKING:
    from roadworthy.pipeline.bulk.ask import Answer, Question
    from roadworthy.pipeline.bulk.record import Format
    from roadworthy.serving.client import Client, Tls
    from roadworthy.serving.vertex.client import VertexClient

EXAMPLES: Final = """Examples:

roadworthy predict --server localhost:8500 --model fashion boot.png shirt.png

roadworthy predict --server localhost:8500 --model fashion photos --out labels.csv

find photos -newer labels.csv | roadworthy predict --server localhost:8500 --model fashion - --json

roadworthy predict --server models.example.com:443 --model fashion --label stable --tls --token-file token photos

roadworthy predict --vertex fashion --project my-project --region europe-west4 photos --out labels.csv

roadworthy predict --vertex reviews --project my-project --region europe-west4 --signature serving_default texts"""
_OF_A_SERVER: Final = ("server", "model", "transport", "token_file", "tls", "tls_ca", "tls_cert", "tls_key", "insecure")
# Failures told on the terminal; the others are in the record.
_FAILURES_TOLD: Final = 10


@click.command(epilog=EXAMPLES)
@click.argument("files", nargs=-1, required=True)
@click.option("--server", help="HOST:PORT of the server.")
@click.option("--model", help="Name of the model.")
@click.option("--vertex", help="In place of both, an endpoint at Vertex AI: its id, or its resource name.")
@click.option("--project", help="Google Cloud project of --vertex.")
@click.option("--region", help="Region of --vertex, such as europe-west4.")
@click.option("--transport", type=click.Choice(["grpc", "rest"]), default="grpc", show_default=True)
@click.option("--version", type=click.IntRange(min=0), help="Version to ask; default the latest.")
@click.option("--label", help="Label of the version to ask, in place of --version.")
@click.option("--signature", default="image_bytes", show_default=True, help="One that takes the bytes of a file.")
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(min=0.001), help="Seconds a request.")
@click.option("--attempts", default=4, show_default=True, type=click.IntRange(min=1), help="Times a request is sent.")
@click.option("--batch", default=16, show_default=True, type=click.IntRange(min=1), help="Files a request.")
@click.option("--concurrency", default=4, show_default=True, type=click.IntRange(1, 256), help="Requests at a time.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write, in place of stdout.")
@click.option("--format", "kind", type=click.Choice(["json", "csv"]), help="Of --out.  [default: by its name, or json]")
@click.option("--json", "as_json", is_flag=True, help="On stdout one JSON object a line: file, label, score.")
@click.option("--token-file", type=click.Path(path_type=Path, dir_okay=False), help="File with a bearer token.")
@click.option("--tls", is_flag=True, help="Encrypt; believe the usual public authorities.")
@click.option("--tls-ca", type=click.Path(path_type=Path, dir_okay=False), help="Encrypt; PEM of who is believed.")
@click.option("--tls-cert", type=click.Path(path_type=Path, dir_okay=False), help="PEM of one's own certificate.")
@click.option("--tls-key", type=click.Path(path_type=Path, dir_okay=False), help="PEM of its key.")
@click.option("--insecure", is_flag=True, help="Send the token in plain text to another machine all the same.")
def predict(files: tuple[str, ...], **given: Any) -> None:
    """Send the bytes of FILES to a model server, or to an endpoint at Vertex AI, and tell the class of each.

    FILES are files, folders with all JPEG and PNG files below them, patterns, or - for a list of paths on stdin. A file
    that can't be read or is refused doesn't stop the others; the exit code is then 2. --out is written aside and
    appears when it is whole; after an interruption the same command goes on where it stopped. With a --signature whose
    outputs are not scores and label, every output is told as JSON.
    """
    from roadworthy.pipeline.bulk.ask import Question
    from roadworthy.pipeline.bulk.files import check_words

    if given["vertex"]:
        refuse_options(_OF_A_SERVER, "is of a model server; --vertex names an endpoint in place of one.")
    else:
        refuse_options(("project", "region"), "is for --vertex.")
    check_words(files)
    with _client(given) as client:
        model = given["vertex"] or given["model"]
        _ask(client, Question(model, given["signature"], given["version"], given["label"]), files, given)


def _client(given: dict[str, Any]) -> "Client | VertexClient":
    """A client of the server or of the endpoint."""
    from roadworthy.serving.client import Client, InvalidOption, Retry

    retry = Retry(attempts=given["attempts"])
    if given["vertex"]:
        from roadworthy.serving.vertex.client import VertexClient
        from roadworthy.serving.vertex.place import place_of

        place = place_of(given["vertex"], project=given["project"], region=given["region"])
        return VertexClient(
            place, given["vertex"], signature=given["signature"], timeout_s=given["timeout"], retry=retry
        )
    if not (given["server"] and given["model"]):
        raise InvalidOption("--server and --model must be given, or --vertex. Received: neither.")
    return Client.open(
        given["server"],
        transport=given["transport"],
        timeout_s=given["timeout"],
        retry=retry,
        tls=_tls(given),
        token=_token(given["token_file"]),
        insecure=given["insecure"],
    )


def _ask(client: "Client | VertexClient", question: "Question", words: tuple[str, ...], given: dict[str, Any]) -> None:
    from roadworthy.pipeline.bulk.ask import Asker
    from roadworthy.pipeline.bulk.record import Format, Part

    asker = Asker(client, question)
    out: Path | None = given["out"]
    kind = given["kind"] or ("csv" if out is not None and out.suffix.lower() == ".csv" else "json")
    form = Format(kind, is_classifier=asker.is_classifier)

    def stream(files: Iterable[str]) -> "Iterable[Answer]":
        return asker.ask_all(files, batch=given["batch"], concurrency=given["concurrency"])

    if out is None:
        _Telling(words, question.signature, quiet=sys.stdout.isatty()).run(stream, _on_stdout(form, given["as_json"]))
        return
    with Part(out, form, question=[given["vertex"] or given["server"], asdict(question)]) as part:
        if len(part.done):
            click.echo(f"{len(part.done):,} files were answered before; going on.", err=True)
        telling = _Telling(words, question.signature, done=part.done)
        try:
            telling.run(stream, part.write, finish=part.finish)
        finally:
            if telling.answered and not telling.finished:
                click.echo(f"{telling.answered:,} answers are kept; the same command goes on from there.", err=True)


class _Telling:
    """Runs files through, shows how far they are, and sums up."""

    def __init__(self, words: tuple[str, ...], signature: str, *, done: Any = (), quiet: bool = False) -> None:
        self._words, self._signature, self._done = words, signature, done
        self._shows_bar = sys.stderr.isatty() and not quiet
        self.answered = self.failed = 0
        self.finished = False

    def run(
        self,
        stream: "Callable[[Iterable[str]], Iterable[Answer]]",
        write: "Callable[[Answer], None]",
        *,
        finish: Callable[[], None] = lambda: None,
    ) -> None:
        """Asks about every file, writes every answer.

        Raises:
            DataError: there was no file, or some failed; those that didn't are written.
        """
        from tqdm import tqdm

        from roadworthy.serving.errors import DataError

        left = (file for file in self._files() if file not in self._done)
        with tqdm(total=self._total(), unit=" files", disable=not self._shows_bar, file=sys.stderr) as bar:
            for answer in stream(left):
                write(answer)
                bar.update()
                self.answered += answer.error is None
                if answer.error is not None:
                    self._tell_failure(answer)
        if not (self.answered or self.failed or self._done):
            raise DataError(f"FILES must hold at least one image. Received: none in {', '.join(self._words)}.")
        finish()
        self.finished = True
        if self.failed:
            asked = self.answered + self.failed
            raise DataError(f"{self.failed:,} of {asked:,} files failed; the other {self.answered:,} are answered.")

    def _tell_failure(self, answer: "Answer") -> None:
        from tqdm import tqdm

        self.failed += 1
        if self.failed <= _FAILURES_TOLD:
            tqdm.write(f"roadworthy: {answer.file}: {answer.error}", file=sys.stderr)
        elif self.failed == _FAILURES_TOLD + 1:
            tqdm.write("roadworthy: further failures are counted, not told here", file=sys.stderr)

    def _files(self) -> Iterable[str]:
        from roadworthy.pipeline.bulk.files import IMAGE_SUFFIXES, find_files
        from roadworthy.serving.contract import IMAGE_SIGNATURE

        suffixes = IMAGE_SUFFIXES if self._signature == IMAGE_SIGNATURE else ()
        return find_files(self._words, stdin=sys.stdin, suffixes=suffixes)

    def _total(self) -> int | None:
        """How many there are to ask about; not known of a list on stdin, which can be read once."""
        if not self._shows_bar or "-" in self._words:
            return None
        return sum(1 for _ in self._files()) - len(self._done)


def _on_stdout(form: "Format", as_json: bool) -> "Callable[[Answer], None]":
    def write(answer: "Answer") -> None:
        if as_json or "outputs" in answer.fields:
            click.echo(form.line(answer), nl=False)
        elif answer.error is None:
            click.echo(f"{answer.file}\t{answer.fields['label']}\t{answer.fields['score']:.3f}")

    return write


def _tls(given: dict[str, Any]) -> "Tls | None":
    from roadworthy.serving.client import Tls

    authorities, certificate, key = given["tls_ca"], given["tls_cert"], given["tls_key"]
    if not (given["tls"] or authorities or certificate or key):
        return None
    return Tls(authorities, certificate, key)


def _token(file: Path | None) -> str | None:
    from roadworthy.serving.errors import ConfigError

    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        received = error.strerror if isinstance(error, OSError) else "no text"
        raise ConfigError(f"--token-file must be a readable file. Received: {file}: {received}.") from error
