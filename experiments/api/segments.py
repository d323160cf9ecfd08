"""Segments: list, read, create, replace, archive."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from django.db.models import Q
from msgspec import Meta, Struct

from experiments import segments
from experiments.api.answers import bad_value
from experiments.api.fields import Description, Key, Name, Taken, Targeting, Why, WhyOnly
from experiments.api.finding import segment_of
from experiments.api.listing import Page, page
from experiments.api.operations import Call, Operation
from experiments.domain.kinds import SegmentKind
from experiments.models import Segment

Value = Annotated[str, Meta(min_length=1, max_length=segments.LONGEST_VALUE)]


class SegmentAnswer(Struct, frozen=True, kw_only=True):
    """A saved audience: a list of values of one attribute, or targeting."""

    key: str
    name: str
    description: str
    kind: SegmentKind
    unit_attribute: str
    values: list[str]
    targeting: dict[str, Any]
    archived_at: datetime | None
    created_at: datetime
    revision: int


class SegmentSummary(Struct, frozen=True, kw_only=True):
    """A segment without its values, which may be tens of thousands."""

    key: str
    name: str
    kind: SegmentKind
    size: int | None
    archived_at: datetime | None


class SegmentList(Struct, frozen=True, kw_only=True):
    """A page of segments, newest first."""

    segments: list[SegmentSummary]
    next: str | None


class SegmentPage(Page, frozen=True, kw_only=True):
    """Which segments: ``search`` looks into keys and names."""

    search: str = ""
    archived: bool = False


class SegmentBody(Taken, frozen=True, kw_only=True):
    """A list needs ``unit_attribute`` and ``values``, a condition needs ``targeting``."""

    name: Name
    kind: SegmentKind
    description: Description = ""
    unit_attribute: Annotated[str, Meta(max_length=80)] = ""
    values: Annotated[list[Value], Meta(max_length=segments.MOST_VALUES)] = []
    targeting: Targeting = {}
    why: Why = ""


class NewSegment(SegmentBody, frozen=True, kw_only=True):
    """A segment with its key, which stays."""

    key: Key


def _answer(row: Segment) -> SegmentAnswer:
    return SegmentAnswer(
        key=row.key,
        name=row.name,
        description=row.description,
        kind=SegmentKind(row.kind),
        unit_attribute=row.unit_attribute,
        values=row.values,
        targeting=row.targeting,
        archived_at=row.archived_at,
        created_at=row.created_at,
        revision=row.revision,
    )


def _summary(row: Segment) -> SegmentSummary:
    is_list = row.kind == SegmentKind.LIST
    return SegmentSummary(
        key=row.key,
        name=row.name,
        kind=SegmentKind(row.kind),
        size=len(row.values) if is_list else None,
        archived_at=row.archived_at,
    )


def _plan(key: str, body: SegmentBody) -> segments.SegmentPlan:
    if body.kind is SegmentKind.LIST and not body.unit_attribute:
        raise bad_value("Name the attribute whose values the segment lists, for example id.", "unit_attribute")
    if body.kind is SegmentKind.CONDITION and not body.targeting:
        raise bad_value("Say who is in the segment: an empty condition would hold for everyone.", "targeting")
    return segments.SegmentPlan(
        key=key,
        name=body.name,
        kind=body.kind,
        description=body.description,
        unit_attribute=body.unit_attribute,
        values=tuple(body.values),
        targeting=body.targeting,
    )


def index(call: Call) -> SegmentList:
    """List segments."""
    query: SegmentPage = call.query
    found = Segment.objects.filter(project=call.project, archived_at__isnull=not query.archived)
    if query.search:
        found = found.filter(Q(key__icontains=query.search) | Q(name__icontains=query.search))
    rows, following = page(call, found)
    return SegmentList(segments=[_summary(row) for row in rows], next=following)


def show(call: Call) -> SegmentAnswer:
    """Return one segment."""
    return _answer(segment_of(call))


def create(call: Call, body: NewSegment) -> SegmentAnswer:
    """Create a segment."""
    return _answer(segments.create_segment(call.project, None, _plan(body.key, body)))


def change(call: Call, body: SegmentBody) -> SegmentAnswer:
    """Replace a segment."""
    segment = segment_of(call)
    segments.edit_segment(segment, None, _plan(segment.key, body), why=body.why)
    return _answer(segment)


def archive(call: Call, body: WhyOnly) -> SegmentAnswer:
    """Take a segment out of the lists."""
    segment = segment_of(call)
    segments.archive_segment(segment, None, body.why)
    return _answer(segment)


ONE = "/segments/{key}"
OPERATIONS = [
    Operation(
        method="GET", path="/segments", summary="List segments", handle=index, query=SegmentPage, answers=SegmentList
    ),
    Operation(
        method="POST", path="/segments", summary="Create a segment", handle=create, takes=NewSegment,
        answers=SegmentAnswer, status=HTTPStatus.CREATED,
    ),
    Operation(method="GET", path=ONE, summary="Read one", handle=show, answers=SegmentAnswer),
    Operation(
        method="PUT", path=ONE, summary="Replace it", handle=change, takes=SegmentBody, answers=SegmentAnswer,
        current=show,
    ),
    Operation(
        method="POST", path=ONE + "/archive", summary="Take it out of the lists", handle=archive, takes=WhyOnly,
        answers=SegmentAnswer, current=show,
    ),
]  # fmt: skip
