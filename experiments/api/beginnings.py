"""What experiments begin from: templates and other experiments; who answers for one, and where it can be seen."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from experiments import beginning, drafting, serving
from experiments.api.answers import bad_value
from experiments.api.fields import Description, Key, Name, Taken
from experiments.api.finding import experiment_by_key, experiment_of, missing
from experiments.api.operations import Call, Operation
from experiments.api.plans import Hypothesis, show
from experiments.api.shapes import ExperimentAnswer, experiment_answer
from experiments.domain.templates import BUILT_IN, Content
from experiments.models import ExperimentTemplate, User
from experiments.setup import plan_of


class TemplateAnswer(Struct, frozen=True, kw_only=True):
    """A set-up to begin from; ``built_in`` ones come with the product. Shares are in ten-thousandths."""

    key: str
    name: str
    description: str
    built_in: bool
    content: dict[str, Any]
    created_at: datetime | None


class TemplateList(Struct, frozen=True, kw_only=True):
    """The project's templates, then those of the product."""

    templates: list[TemplateAnswer]


class NewTemplate(Taken, frozen=True, kw_only=True):
    """Keep the set-up of an experiment."""

    experiment: str
    key: Key
    name: Name
    description: Description = ""


class Begun(Taken, frozen=True, kw_only=True):
    """A draft from a template; it still lacks what the template does not say."""

    key: Key
    name: Name
    hypothesis: Hypothesis = ""


class Copy(Taken, frozen=True, kw_only=True):
    """What the copy is called; by default after the original."""

    key: Key | None = None
    name: Name | None = None


class Owner(Taken, frozen=True, kw_only=True):
    """A member of the project, by e-mail address."""

    email: Annotated[str, Meta(min_length=3, max_length=254)]


class PageAddress(Taken, frozen=True, kw_only=True):
    """Where people can see it; empty for nowhere. Links to look at each variant are made of it."""

    page_address: Annotated[str, Meta(max_length=drafting.LONGEST_ADDRESS, pattern=r"^(https?://\S+)?$")]


def _answer(row: ExperimentTemplate) -> TemplateAnswer:
    return TemplateAnswer(
        key=row.key,
        name=row.name,
        description=row.description,
        built_in=False,
        content=row.content,
        created_at=row.created_at,
    )


def index(call: Call) -> TemplateList:
    """List templates."""
    own = [_answer(row) for row in call.project.templates.all()]
    built_in = [
        TemplateAnswer(
            key=one.key,
            name=one.name,
            description=one.description,
            built_in=True,
            content=_plain(beginning.template_content(call.project, one.key)),
            created_at=None,
        )
        for one in BUILT_IN
    ]
    return TemplateList(templates=[*own, *built_in])


def _plain(content: Content) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(content)
    return found


def save(call: Call, body: NewTemplate) -> TemplateAnswer:
    """Keep an experiment's set-up as a template."""
    source = experiment_by_key(call.project, body.experiment)
    return _answer(beginning.save_template(source, None, body.key, body.name, body.description))


def _template(call: Call) -> ExperimentTemplate:
    found = call.project.templates.filter(key=call.args["key"]).first()
    if found is None:
        raise missing(call.project, "template of its own", call.args["key"])
    return found


def remove(call: Call) -> None:
    """Remove a template of the project."""
    beginning.remove_template(_template(call), None)


def begin(call: Call, body: Begun) -> ExperimentAnswer:
    """Create a draft from a template."""
    known = {one.key for one in BUILT_IN}
    if call.args["key"] not in known:
        _template(call)
    made = beginning.begin(
        call.project, None, key=body.key, name=body.name, hypothesis=body.hypothesis, template=call.args["key"]
    )
    return experiment_answer(made)


def duplicate(call: Call, body: Copy) -> ExperimentAnswer:
    """Create a draft with the same set-up."""
    made = beginning.duplicate(experiment_of(call), None, key=body.key or "", name=body.name or "")
    return experiment_answer(made)


def set_owner(call: Call, body: Owner) -> ExperimentAnswer:
    """Say who answers for it."""
    experiment = experiment_of(call)
    member = User.objects.filter(memberships__project=call.project, email=body.email.lower()).first()
    if member is None:
        raise bad_value(f"{body.email[:80]} is no member of {call.project.slug}; invite them first.", "email")
    drafting.set_owner(experiment, None, member)
    return experiment_answer(experiment)


def set_page(call: Call, body: PageAddress) -> ExperimentAnswer:
    """Say where it can be seen."""
    experiment = experiment_of(call)
    drafting.set_page_address(experiment, None, body.page_address)
    return experiment_answer(experiment)


def hold_serving(call: Call) -> ExperimentAnswer:
    """Name latency, failures, fallbacks and cost of the models as guardrails of a draft that compares versions."""
    experiment = experiment_of(call)
    if not serving.is_of_models(plan_of(experiment)):
        raise bad_value(f"{experiment.key} compares no two model versions: give its variants one each.", "variants")
    serving.hold(experiment, None)
    return show(call)


ONE = "/experiments/{key}"
OPERATIONS = [
    Operation(method="GET", path="/templates", summary="List templates", handle=index, answers=TemplateList),
    Operation(
        method="POST", path="/templates", summary="Keep an experiment's set-up", handle=save, takes=NewTemplate,
        answers=TemplateAnswer, status=HTTPStatus.CREATED,
    ),
    Operation(
        method="DELETE", path="/templates/{key}", summary="Remove a template of the project", handle=remove,
        answers=None, status=HTTPStatus.NO_CONTENT,
    ),
    Operation(
        method="POST", path="/templates/{key}/experiments", summary="Create a draft from a template", handle=begin,
        takes=Begun, answers=ExperimentAnswer, status=HTTPStatus.CREATED,
    ),
    Operation(
        method="POST", path=ONE + "/duplicate", summary="Create a draft with the same set-up", handle=duplicate,
        takes=Copy, answers=ExperimentAnswer, status=HTTPStatus.CREATED,
    ),
    Operation(
        method="POST", path=ONE + "/serving-guardrails", summary="Hold latency, failures, fallbacks and cost of models",
        handle=hold_serving, answers=ExperimentAnswer,
    ),
    Operation(
        method="PUT", path=ONE + "/owner", summary="Say who answers for it", handle=set_owner, takes=Owner,
        answers=ExperimentAnswer, current=show,
    ),
    Operation(
        method="PUT", path=ONE + "/page", summary="Say where it can be seen", handle=set_page, takes=PageAddress,
        answers=ExperimentAnswer, current=show,
    ),
]  # fmt: skip
