"""The rules of a flag: shown in words, added, changed, moved and deleted."""

from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from experiments.access import SignedInRequest, get_flag
from experiments.domain.access import Role
from experiments.domain.environments import Environment
from experiments.domain.kinds import ExperimentKind, RuleKind
from experiments.domain.shares import percent
from experiments.domain.units import UnitType
from experiments.forms.conditions import in_words
from experiments.forms.errors import summary
from experiments.forms.flags import RuleForm
from experiments.models import Flag, FlagRule
from experiments.pages.formats import as_json, moment
from experiments.pages.kept import typed
from experiments.refusals import RefusedError
from experiments.rules import RulePlan, add_rule, edit_rule, remove_rule, reorder_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRule:
    """A rule in words."""

    pk: int
    name: str
    serves: str
    whom: str
    where: str
    when: str


def shown_rules(flag: Flag) -> list[ShownRule]:
    """Return the flag's rules in order, in words."""
    names = dict(flag.project.segments.values_list("key", "name"))
    return [_shown(rule, names) for rule in flag.rules.select_related("experiment")]


def _shown(rule: FlagRule, segments: dict[str, str]) -> ShownRule:
    starts, ends = rule.starts_at, rule.ends_at
    times = [f"From {moment(starts)}" if starts else "", f"until {moment(ends)}" if ends else ""]
    return ShownRule(
        pk=rule.pk,
        name=rule.name,
        serves=_serves(rule),
        whom=in_words(rule.targeting, segments),
        where=" and ".join(rule.environments),
        when=" ".join(filter(None, times)).capitalize(),
    )


def _serves(rule: FlagRule) -> str:
    match rule.kind:
        case RuleKind.EXPERIMENT:
            return f"The variants of {rule.experiment}"
        case RuleKind.ROLLOUT:
            return f"{as_json(rule.value)} for {percent(rule.share)} of {rule.unit_type}s"
    return f"{as_json(rule.value)} for everyone it reaches"


@login_required
@require_http_methods(["GET", "POST"])
def rule_new(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show the form of a rule, or add the rule behind the others."""
    flag, _ = get_flag(request.user, project_slug, key, Role.EDITOR)
    form = _form(request, flag)
    if request.method == "POST" and form.is_valid():
        try:
            add_rule(flag, request.user, _plan(form), revision=form.cleaned_data["revision"])
        except RefusedError as error:
            form.add_error(None, str(error))
        else:
            return redirect("flag_detail", project_slug, key)
    return _page(request, flag, form)


@login_required
@require_http_methods(["GET", "POST"])
def rule_edit(request: SignedInRequest, project_slug: str, key: str, rule_id: int) -> HttpResponse:
    """Show a rule in the form, or change it."""
    flag, _ = get_flag(request.user, project_slug, key, Role.EDITOR)
    rule = _rule(flag, rule_id)
    form = _form(request, flag, rule)
    if request.method == "POST" and form.is_valid():
        try:
            if edit_rule(rule, request.user, _plan(form), revision=form.cleaned_data["revision"]):
                messages.success(request, "The rule is saved.")
        except RefusedError as error:
            form.add_error(None, str(error))
        else:
            return redirect("flag_detail", project_slug, key)
    return _page(request, flag, form, rule)


@login_required
@require_http_methods(["GET", "POST"])
def rule_delete(request: SignedInRequest, project_slug: str, key: str, rule_id: int) -> HttpResponse:
    """Ask whether the rule is to go, or remove it; a rule that is gone already is no error."""
    flag, _ = get_flag(request.user, project_slug, key, Role.EDITOR)
    rule = flag.rules.select_related("experiment").filter(pk=rule_id).first()
    if rule is None:
        return redirect("flag_detail", project_slug, key)
    rule.flag = flag
    if request.method == "GET":
        names = dict(flag.project.segments.values_list("key", "name"))
        context = {"project": flag.project, "flag": flag, "rule": _shown(rule, names)}
        return render(request, "flags/rule_delete.html", context)
    try:
        if remove_rule(rule, request.user):
            messages.success(request, "The rule is deleted. The history keeps what it said.")
    except RefusedError as error:
        messages.error(request, str(error))
    return redirect("flag_detail", project_slug, key)


@login_required
@require_POST
def rule_move(request: SignedInRequest, project_slug: str, key: str, rule_id: int) -> HttpResponse:
    """Move a rule up or down by one. A page that shows an older order changes nothing."""
    flag, _ = get_flag(request.user, project_slug, key, Role.EDITOR)
    order = list(flag.rules.values_list("pk", flat=True))
    by = {"-1": -1, "1": 1}.get(request.POST.get("by", ""), 0)
    if request.POST.get("revision") != str(flag.revision) or rule_id not in order:
        messages.warning(request, f"{flag.name} was changed meanwhile. This is how it is now.")
        return redirect("flag_detail", project_slug, key)
    at = order.index(rule_id)
    to = min(max(at + by, 0), len(order) - 1)
    order[at], order[to] = order[to], order[at]
    try:
        reorder_rules(flag, request.user, order)
    except RefusedError as error:
        messages.error(request, str(error))
    return redirect("flag_detail", project_slug, key)


def _form(request: SignedInRequest, flag: Flag, rule: FlagRule | None = None) -> RuleForm:
    return RuleForm(
        typed(request),
        flag=flag,
        experiments=flag.project.experiments.filter(kind=ExperimentKind.STANDARD.value).order_by("name"),
        segments=list(flag.project.segments.filter(archived_at__isnull=True)),
        rule=rule,
    )


def _rule(flag: Flag, rule_id: int) -> FlagRule:
    rule = flag.rules.select_related("experiment").filter(pk=rule_id).first()
    if rule is None:
        raise Http404(f"Flag {flag.key!r} has no rule {rule_id}; somebody may have deleted it.")
    rule.flag = flag
    return rule


def _plan(form: RuleForm) -> RulePlan:
    chosen = form.cleaned_data
    return RulePlan(
        kind=RuleKind(chosen["kind"]),
        value=chosen["value"],
        name=chosen["name"],
        environments=tuple(Environment(one) for one in chosen["environments"]),
        targeting=form.targeting.condition,
        share=form.share_chosen,
        unit_type=UnitType(chosen["unit_type"] or UnitType.USER),
        experiment=form.experiment_chosen,
        starts_at=chosen["starts_at"],
        ends_at=chosen["ends_at"],
    )


def _page(request: SignedInRequest, flag: Flag, form: RuleForm, rule: FlagRule | None = None) -> HttpResponse:
    context = {
        "project": flag.project,
        "flag": flag,
        "rule": rule,
        "form": form,
        "errors": [*summary([form]), *form.targeting.errors] if form.is_bound else [],
    }
    return render(request, "flags/rule.html", context, status=400 if request.method == "POST" else 200)
