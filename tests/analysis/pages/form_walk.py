"""Every page of the product with something on it, and every form on them, read as a browser reads them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve, reverse
from django.utils import timezone

from analysis.alerts import answering
from analysis.models import Digest, Follow, Note, OutboxMessage, Portfolio, Recipient, SavedView, ShareLink, Webhook
from analysis.webhooks import keeping
from experiments import concluding, keys, members, metrics, overrides, prerequisites, rules
from experiments.beginning import save_template
from experiments.domain.access import Role, Scope
from experiments.domain.conclusions import Choice
from experiments.domain.kinds import ExperimentKind, RuleKind
from experiments.domain.lifecycle import Status
from experiments.models import Membership, Metric, ModelVersion, Project, User
from tests import builders

TEXT = frozenset({"text", "search", "email", "url", "textarea"})
BEFORE_SIGN_IN = frozenset({"sign_in", "welcome", "join", "unsubscribe", "preferences", "silence", "sign_out"})
"""Without a session there is none to lose, and a token in the address stands for the person."""


@dataclass(slots=True)
class Form:
    """A form that is sent by POST: where to, what it holds, and what people can fill in."""

    page: str
    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)
    button: tuple[str, str] | None = None

    @property
    def route(self) -> str:
        return resolve(urlsplit(self.action).path).url_name or ""

    @property
    def is_button(self) -> bool:
        """Whether there is nothing to fill in: what it does stands on its button."""
        return not self.texts and not self.choices

    @property
    def marks(self) -> set[str]:
        return {name for name, _ in self.fields}

    @property
    def size(self) -> int:
        return len(self.texts) + len(self.choices)

    def sent(self, **changes: str | list[str]) -> dict[str, list[str]]:
        """Return what a browser would send."""
        found: dict[str, list[str]] = {}
        for name, value in [*self.fields, *([self.button] if self.button else [])]:
            found.setdefault(name, []).append(value)
        return {**found, **{name: value if isinstance(value, list) else [value] for name, value in changes.items()}}

    def value(self, name: str) -> str:
        return dict(self.fields).get(name, "")


class Forms(HTMLParser):
    """Reads the forms of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page, self.found = page, []
        self.form: Form | None = None
        self.area: str | None = None
        self.select: str | None = None
        self.in_template = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        got = {name: value or "" for name, value in attrs}
        self.in_template += tag == "template"
        if tag == "form" and got.get("method") == "post":
            self.form = Form(page=self.page, action=urljoin(self.page, got.get("action") or self.page))
            self.found.append(self.form)
        if self.form is None or self.in_template or "disabled" in got:
            return
        if tag == "input" and "name" in got:
            self._input(self.form, got)
        if tag == "textarea":
            self.area = got["name"]
            self.form.texts.append(self.area)
            self.form.fields.append((self.area, ""))
        if tag == "select":
            self.select = got["name"]
            self.form.choices[self.select] = []
        if tag == "option" and self.select:
            self._option(self.form, self.select, got)
        if tag == "button" and "name" in got and self.form.button is None:
            self.form.button = (got["name"], got.get("value", ""))

    def _input(self, form: Form, got: dict[str, str]) -> None:
        kind, name, value = got.get("type", "text"), got["name"], got.get("value", "")
        if kind in ("checkbox", "radio"):
            value = got.get("value", "on")
            form.choices.setdefault(name, []).append(value)
            if "checked" in got:
                form.fields.append((name, value))
        elif kind != "file":
            form.fields.append((name, value))
            form.texts += [name] if kind in TEXT else []
            form.choices |= {name: []} if kind not in TEXT and kind != "hidden" else {}

    def _option(self, form: Form, name: str, got: dict[str, str]) -> None:
        value = got.get("value", "")
        if "selected" in got or not form.choices[name]:
            form.fields = [pair for pair in form.fields if pair[0] != name]
            form.fields.append((name, value))
        form.choices[name].append(value)

    def handle_data(self, data: str) -> None:
        if self.form and self.area:
            name, so_far = self.form.fields.pop()
            self.form.fields.append((name, so_far + data.removeprefix("\n") if not so_far else so_far + data))

    def handle_endtag(self, tag: str) -> None:
        self.in_template -= tag == "template"
        if tag == "textarea":
            self.area = None
        if tag == "select":
            self.select = None
        if tag == "form":
            self.form = None


def forms_of(page: str, html: str) -> list[Form]:
    reader = Forms(page)
    reader.feed(html)
    return reader.found


def routes(*, besides_the_api: bool = True) -> Iterator[tuple[str, str]]:
    """Return the name and the pattern of every page's address."""

    def walk(patterns: list[Any], before: str = "") -> Iterator[tuple[str, str]]:
        for one in patterns:
            if isinstance(one, URLResolver):
                yield from walk(one.url_patterns, before + str(one.pattern))
            elif isinstance(one, URLPattern) and one.name:
                yield one.name, before + str(one.pattern)

    found = walk(get_resolver().url_patterns)
    yield from (pair for pair in found if not (besides_the_api and pair[1].startswith("api/")))


@dataclass(slots=True)
class World:
    """A shop with one of everything; ``numbers`` and ``words`` are what may stand in addresses."""

    shop: Project
    alice: User
    bob: User
    numbers: dict[str, list[int]]
    words: dict[str, list[str]]

    def addresses(self, name: str, pattern: str) -> Iterator[str]:
        """Return the addresses of a route: one for each thing that it could be about."""
        names = [part.split(":")[-1].rstrip(">") for part in pattern.split("/") if part.startswith("<")]
        family = next((word for word in ("flags", "metrics", "segments", "holdout") if f"/{word}/<" in pattern), "key")
        choices = {"key": family if pattern.count("<") > 1 else "key"}
        varying = [one for one in names if one != "project_slug"]
        if not varying:
            yield reverse(name, kwargs={"project_slug": self.shop.slug} if names else {})
            return
        first = varying[0]
        known = self.words.get(choices.get(first, first)) or self.numbers.get(first, [])
        for value in known:
            rest = {one: (self.words.get(one) or self.numbers.get(one, [0]))[0] for one in varying[1:]}
            given = {first: value, **rest, **({"project_slug": self.shop.slug} if "project_slug" in names else {})}
            yield reverse(name, kwargs=given)


def world(shop: Project, alice: User) -> World:
    """Make one of everything that a page can show."""
    bob = builders.user("bob@example.com")
    membership = Membership.objects.create(project=shop, user=bob, role=Role.EDITOR)
    invitation = members.invite(shop, "carol@example.com", Role.VIEWER, alice)
    metric, other, gone = (_metric(shop, alice, key) for key in ("purchase-rate", "orders", "visits"))
    metrics.archive_metric(gone, alice)
    versions = [ModelVersion.objects.create(project=shop, name="ranker", version=f"v{n}") for n in (1, 2)]
    made = _experiments(shop, alice, bob, metric)
    flag = builders.flag(shop)
    builders.flag(shop, "base")
    plan = rules.RulePlan(kind=RuleKind.FORCE, value=True, name="Our staff first", targeting={"country": "DE"})
    rule = rules.add_rule(flag, alice, plan)
    rules.add_rule(flag, alice, plan)
    prerequisites.set_prerequisites(flag, alice, {"base": True})
    builders.a_segment(shop)
    builders.a_layer(shop)
    holdout = builders.a_holdout(shop, metric_=metric)
    metrics.certify(other, alice, other.version)
    told = _told(shop, alice, made["running"])
    key = keys.issue_key(shop, "App", [Scope.READ], alice)[0]
    note = Note.objects.create(experiment=made["running"], author=alice, text="A sale began on day 3.")
    until = timezone.now() + timedelta(days=30)
    link = ShareLink.objects.create(experiment=made["running"], digest="0" * 64, purpose="Board", expires_at=until)
    view = SavedView.objects.create(project=shop, owner=alice, name="Mine", query="status=running", is_shared=True)
    return World(
        shop=shop, alice=alice, bob=bob,
        words={
            "key": list(made), "step": ["why", "who", "what", "how"], "kind": ["bandit"], "flags": [flag.key],
            "metrics": ["purchase-rate", "orders", "visits"], "segments": ["staff"], "holdout": [holdout.key],
            "name": ["ranker"], "metric_key": ["purchase-rate"], "token": [],
        },
        numbers={
            "member_id": [membership.pk], "invitation_id": [invitation.pk], "rule_id": [rule.pk], "key_id": [key.pk],
            "version_id": [one.pk for one in versions], "view_id": [view.pk], "note_id": [note.pk],
            "link_id": [link.pk],
            "override_id": [made["running"].overrides.get().pk], **told,
        },
    )  # fmt: skip


def _metric(shop: Project, alice: User, key: str) -> Metric:
    made = Metric(key=key, name=key.capitalize(), kind="proportion", event="Order Completed", direction="increase",
                  display_unit="percent")  # fmt: skip
    metrics.add_metric(shop, alice, made)
    return made


def _experiments(shop: Project, alice: User, bob: User, metric: Any) -> dict[str, Any]:
    running = builders.experiment(shop, "running", primary=metric, allocation=5000, owner=alice)
    builders.snapshot(running)
    overrides.add(running, "user-7", running.variants.get(key="treatment"), alice, "Ann's phone")
    save_template(running, alice, "ranking", "Ranking", "")
    ended = builders.experiment(shop, "ended", status=Status.STOPPED, primary=metric)
    builders.snapshot(ended)
    asked = builders.experiment(shop, "asked", status=Status.STOPPED, primary=metric)
    builders.standing(asked, recommendation="do not ship")
    concluding.conclude(asked, bob, concluding.Decision(choice=Choice.SHIP, reason="We want it", learned="Much"))
    design: dict[str, Any] = {}
    draft = builders.experiment(shop, "draft", status=Status.DRAFT, primary=metric)
    designed = builders.experiment(shop, "designed", status=Status.DRAFT, kind=ExperimentKind.BANDIT, design=design)
    paused = builders.experiment(shop, "paused", status=Status.PAUSED, primary=metric)
    shipped = builders.experiment(shop, "shipped", status=Status.STOPPED, primary=metric)
    return {one.key: one for one in (draft, running, paused, ended, asked, designed, shipped)}


def _told(shop: Project, alice: User, running: Any) -> dict[str, list[int]]:
    alerts = [builders.alert(shop, key=f"a{n}").alert for n in range(3)]
    answering.acknowledge(alerts[1], alice, "", timezone.now())
    answering.mute(alerts[2], alice, None, "", timezone.now())
    hook, off = (
        keeping.make(shop, Webhook.Kind.GENERIC, keeping.Wanted(name=name, url="https://127.0.0.1/x"), alice)[0]
        for name in ("Hook", "Broken hook")
    )
    Webhook.objects.filter(pk=off.pk).update(disabled_at=timezone.now())
    portfolio = Portfolio.objects.create(project=shop, name="Search", kind=Portfolio.Kind.CHOSEN)
    portfolio.experiments.add(running)
    due = {"cadence": "weekly", "next_due_at": timezone.now() + timedelta(days=3)}
    digest = Digest.objects.create(project=shop, experiment=running, email="exec@example.com", **due)
    ill = Recipient.objects.create(project=shop, email="ill@example.com", disabled_at=builders.T0)
    own = Recipient.objects.create(project=shop, email=alice.email)
    follows = [Follow.objects.create(recipient=one, experiment=running) for one in (own, ill)]
    message = OutboxMessage.objects.create(
        project=shop, due_at=builders.T0, recipient="exec@example.com", subject="Up", message_id="m-1", state="failed"
    )
    return {
        "alert_id": [one.pk for one in alerts], "webhook_id": [hook.pk], "portfolio_id": [portfolio.pk],
        "digest_id": [digest.pk], "recipient_id": [ill.pk], "follow_id": [one.pk for one in follows],
        "message_id": [message.pk],
    }  # fmt: skip


def all_pages(client: Client, made: World) -> dict[str, HttpResponse]:
    """Return every page by its address."""
    answers = {at: client.get(at) for name, pattern in routes() for at in made.addresses(name, pattern)}
    return {at: one for at, one in answers.items() if one.status_code == 200 and "text/html" in one["Content-Type"]}


def all_forms(pages: dict[str, HttpResponse]) -> dict[str, Form]:
    """Return the largest form of each address that forms are sent to, by the address's name."""
    found: dict[str, Form] = {}
    for address, page in pages.items():
        for form in forms_of(address, page.content.decode()):
            if form.route not in found or form.size > found[form.route].size:
                found[form.route] = form
    return found
