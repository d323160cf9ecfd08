"""Scores by example: upload them for a model version, and compare two versions on them."""

from typing import Annotated, Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from msgspec import Meta, Struct

from analysis.api.uploads import form_of, on_disk
from analysis.examples.storing import ComparedVersions, compared, keep, shared_sets
from analysis.tables.refusal import RefusalError
from experiments import audit
from experiments.api.answers import bad_value
from experiments.api.fields import Taken
from experiments.api.model_versions import ModelVersionAnswer, version_answer, version_of
from experiments.api.operations import Call, Operation
from experiments.models import ModelVersion

LONGEST_SET = 120


class ScoresAnswer(Struct, frozen=True, kw_only=True):
    """What is kept of an upload, and the version with the metrics that came of it."""

    evaluation_set: str
    examples: int
    columns: list[str]
    is_new: bool
    model_version: ModelVersionAnswer


class ScoresUpload(Taken, frozen=True, kw_only=True):
    """A form (multipart/form-data): ``file`` is CSV, NDJSON or Parquet, gzipped or not."""

    file: Annotated[bytes, Meta(description="One row an example: example, and label, prediction, score or metrics.")]
    evaluation_set: Annotated[str, Meta(min_length=1, max_length=LONGEST_SET)]


class ComparisonQuery(Taken, frozen=True, kw_only=True):
    """Which version is the old one (``with``, its id), and on which set; every set where none is named."""

    old: Annotated[int, Meta(ge=1)]
    evaluation_set: str = ""


class ComparisonAnswer(Struct, frozen=True, kw_only=True):
    """A version against an older one, on each evaluation set that both were scored on."""

    old: ModelVersionAnswer
    new: ModelVersionAnswer
    comparisons: list[ComparedVersions]


def upload(call: Call) -> ScoresAnswer:
    """Keep scores by example for a version; the same file sent again changes nothing."""
    version = version_of(call)
    evaluation_set, file = _form(call.request)
    with on_disk(file) as path:
        try:
            with audit.by_key(call.key.name):
                kept, is_new = keep(version, None, path, file.name or "the file", evaluation_set)
        except RefusalError as problem:
            raise bad_value(f"{problem}.", "file") from problem
    fresh = ModelVersion.objects.get(pk=version.pk)
    return ScoresAnswer(
        evaluation_set=kept.evaluation_set,
        examples=kept.examples,
        columns=kept.columns,
        is_new=is_new,
        model_version=version_answer(fresh),
    )


def comparison(call: Call) -> ComparisonAnswer:
    """Compare a version with an older one, by example."""
    new, wanted = version_of(call), call.query
    old = ModelVersion.objects.filter(project=call.project, pk=wanted.old).first()
    if old is None or old.pk == new.pk:
        raise bad_value(f"old is {wanted.old}; it is the id of another version of this project.", "old")
    sets = [wanted.evaluation_set] if wanted.evaluation_set else shared_sets(old, new)
    found = [made for name in sets if (made := compared(old, new, name)) is not None]
    return ComparisonAnswer(old=version_answer(old), new=version_answer(new), comparisons=found)


def _form(request: HttpRequest) -> tuple[str, "UploadedFile[Any]"]:
    form, file = form_of(request, "evaluation_set")
    evaluation_set = form.get("evaluation_set", "").strip()
    if not 0 < len(evaluation_set) <= LONGEST_SET or "\0" in evaluation_set:
        raise bad_value(f"Name the evaluation set, with at most {LONGEST_SET} characters.", "evaluation_set")
    return evaluation_set, file


OPERATIONS = [
    Operation(
        method="POST", path="/model-versions/{id}/scores", summary="Upload scores by example", handle=upload,
        form=ScoresUpload, answers=ScoresAnswer, apart=True,
    ),
    Operation(
        method="GET", path="/model-versions/{id}/comparison", summary="Compare with an older version by example",
        handle=comparison, query=ComparisonQuery, answers=ComparisonAnswer,
    ),
]  # fmt: skip
