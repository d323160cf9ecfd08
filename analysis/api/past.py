"""Past experiments over the API: bring in a file, list what counts, take it out."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from msgspec import Meta, Struct

from analysis.api.uploads import form_of, on_disk
from analysis.models import PastImport
from analysis.past.asking import pairs
from analysis.past.keeping import LONGEST_NAME, USUAL_CORRELATION, Wanted, imports, keep, remove
from analysis.tables.refusal import RefusalError
from experiments import audit
from experiments.api.answers import bad_value
from experiments.api.fields import Taken
from experiments.api.finding import missing
from experiments.api.listing import Page, page
from experiments.api.operations import Call, Operation, link

Pairs = Annotated[str, Meta(max_length=4_000)]


class PastUpload(Taken, frozen=True, kw_only=True):
    """A form (multipart/form-data): ``file`` is CSV, gzipped or not, or Parquet, a row for each treatment and metric.

    ``metrics`` (their name = our key) and ``columns`` (our name = their column) are lists with commas.
    """

    file: Annotated[bytes, Meta(description="Columns experiment, metric, and n, mean, variance of both, or lift.")]
    name: Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
    source: Annotated[str, Meta(max_length=300)] = ""
    metrics: Pairs = ""
    columns: Pairs = ""
    correlation: Annotated[float, Meta(ge=0, lt=1)] = USUAL_CORRELATION


class PastAnswer(Struct, frozen=True, kw_only=True):
    """An import that counts. ``metrics`` gives our key by their name, ``left`` how many rows were left out, and why."""

    id: int
    name: str
    source: str
    file_name: str
    correlation: float
    treatments: int
    metrics: dict[str, str]
    left: dict[str, int]
    imported_at: datetime
    links: dict[str, str]


class PastList(Struct, frozen=True, kw_only=True):
    """A page of imports, newest first."""

    past_experiments: list[PastAnswer]
    next: str | None


def _answer(kept: PastImport) -> PastAnswer:
    return PastAnswer(
        id=kept.pk, name=kept.name, source=kept.source, file_name=kept.file_name, correlation=kept.correlation,
        treatments=kept.treatments, metrics=kept.metrics, left=kept.left, imported_at=kept.imported_at,
        links={"self": link("/past-experiments/{id}", id=kept.pk)},
    )  # fmt: skip


def index(call: Call) -> PastList:
    """List imports."""
    rows, following = page(call, imports(call.project))
    return PastList(past_experiments=[_answer(row) for row in rows], next=following)


def show(call: Call) -> PastAnswer:
    """Return one import."""
    return _answer(_found(call))


def create(call: Call) -> PastAnswer:
    """Read a file; the same one sent again changes nothing."""
    form, file = form_of(call.request, "name")
    if any("\0" in str(value) for value in form.values()):
        raise bad_value("A field holds the character NUL, which no text may hold.", "name")
    with on_disk(file) as path:
        try:
            wanted = Wanted(
                file=path, file_name=file.name or "the file", name=form.get("name", ""), source=form.get("source", ""),
                correlation=_correlation(form.get("correlation", "")),
                columns=pairs(form.get("columns", "").split(","), "our name", "their column"),
                metrics=pairs(form.get("metrics", "").split(","), "their name", "our key"),
            )  # fmt: skip
            with audit.by_key(call.key.name):
                kept, _ = keep(call.project, None, wanted)
        except RefusalError as problem:
            raise bad_value(f"{problem}.".replace(str(path), file.name or "the file"), "file") from problem
    return _answer(kept)


def take_out(call: Call) -> None:
    """Let an import count no longer."""
    remove(_found(call), None)


def _correlation(text: str) -> float:
    try:
        return float(text) if text else USUAL_CORRELATION
    except ValueError:
        raise RefusalError(f"correlation is {text[:40]!r}; give 0 or more, and less than 1") from None


def _found(call: Call) -> PastImport:
    kept = imports(call.project).filter(pk=call.args["id"]).first()
    if kept is None:
        raise missing(call.project, "import", call.args["id"])
    return kept


OPERATIONS = [
    Operation(
        method="GET", path="/past-experiments", summary="List imports of past experiments", handle=index, query=Page,
        answers=PastList,
    ),
    Operation(
        method="POST", path="/past-experiments", summary="Bring in a file of past experiments", handle=create,
        form=PastUpload, answers=PastAnswer, status=HTTPStatus.CREATED, apart=True,
    ),
    Operation(
        method="GET", path="/past-experiments/{id}", summary="One import of past experiments", handle=show,
        answers=PastAnswer,
    ),
    Operation(
        method="DELETE", path="/past-experiments/{id}", summary="Take an import of past experiments out",
        handle=take_out, answers=None, status=HTTPStatus.NO_CONTENT,
    ),
]  # fmt: skip
