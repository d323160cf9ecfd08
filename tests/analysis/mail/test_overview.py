"""Digests about many experiments, and portfolios."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from analysis.alerts.kinds import Severity
from analysis.mail import digests, portfolios, queueing, rendering
from analysis.mail.parts import Rendered
from analysis.mail.portfolios import PortfolioError, Wanted, experiments_of
from analysis.mail.schedule import Rhythm
from analysis.models import Digest, OutboxMessage, Portfolio, Recipient
from analysis.notices.kinds import OccurrenceKind
from analysis.results.schema import Reading, Tone
from experiments.domain.lifecycle import Status
from experiments.models import AuditEntry, Experiment
from tests import builders
from tests.analysis.mail.conftest import digest
from tests.analysis.notices.conftest import happened
from tests.builders import T0

NOW = builders.results().as_of + timedelta(hours=1)
SHIP = {"decision": "ship", "tone": Tone.GOOD, "headline": "Clicks rose by 5.6%."}
MILESTONES = Rhythm(cadence="milestones", hour=8, time_zone="UTC")


def unwrapped(text: str) -> str:
    return " ".join(text.split())


def made(shop, **fields) -> Digest:
    fields = {"cadence": "weekly", "hour": 8, "next_due_at": T0, **fields}
    return Digest.objects.create(project=shop, email="exec@example.com", **fields)


def project_mail(shop, **fields) -> Rendered:
    return rendering.render(made(shop, **fields), NOW)


def test_project__lists_running_and_recently_stopped_with_their_sentences(shop, ranker):
    builders.snapshot(ranker)
    ended = builders.experiment(shop, "ended", status=Status.STOPPED, stopped_at=NOW - timedelta(days=13))
    builders.snapshot(ended, structs.replace(builders.results(ended), verdict=builders.verdict(headline="All done.")))
    builders.experiment(shop, "old", name="Old news", status=Status.STOPPED, stopped_at=NOW - timedelta(days=15))
    builders.experiment(shop, "draft", name="Draft idea", status=Status.DRAFT)
    builders.experiment(shop, "fresh", name="Fresh start")
    builders.experiment(shop, "waiting", name="On hold", status=Status.PAUSED)
    rendered = project_mail(shop)
    for said in (unwrapped(rendered.text), unwrapped(rendered.html)):
        assert "Click-through rate is up, but pages are slower" in said
        assert "Click-through rate +5.6% (+2.1% to +9.2%), Better" in said
        assert "All done." in said
        assert "Fresh start" in said
        assert "On hold" in said
        assert "Old news" not in said
        assert "Draft idea" not in said


def test_project__subject_states_the_most_urgent_finding(shop, ranker):
    builders.snapshot(ranker, builders.results(ranker, verdict=builders.verdict(headline="Fine.", tone=Tone.GOOD)))
    broken = builders.experiment(shop, "broken", name="Broken one")
    builders.snapshot(broken, builders.broken_results(broken))
    assert project_mail(shop).subject == (
        "Shop: Broken one: The traffic split is broken: do not read these results. (and 1 more experiment)"
    )


def test_project__what_needs_a_decision_comes_first_and_an_urgent_alarm_before_it(shop, ranker):
    builders.snapshot(ranker, builders.results(ranker, verdict=builders.verdict(**SHIP)))
    other = builders.experiment(shop, "other", name="Other")
    builders.snapshot(other)
    rendered = project_mail(shop)
    assert rendered.subject == "Shop: New ranker: Clicks rose by 5.6%. (and 1 more experiment)"
    assert rendered.text.index("NEEDS A DECISION") < rendered.text.index("RUNNING, AND ENDED LATELY")
    assert "1 needs a decision, 2 running" in unwrapped(rendered.text)
    builders.alert(shop, experiment=other, severity=Severity.URGENT)
    alarmed = rendering.render(Digest.objects.get(), NOW)
    assert alarmed.subject.startswith("Shop: Other: 48.9% got the treatment instead of 50%.")
    assert "ALARMS" in alarmed.text


def test_project__what_moved_the_business__is_money_where_it_is_measured(shop, ranker):
    money = builders.metric_result(
        "revenue", builders.comparison(lift=-0.03, lift_interval=(-0.05, -0.01), reading=Reading.WORSE),
        name="Revenue per user", kind="sum", display_unit="currency", role="secondary",
    )  # fmt: skip
    builders.snapshot(ranker, builders.results(ranker, metrics=[builders.metric_result(), money]))
    text = unwrapped(project_mail(shop).text)
    assert "WHAT MOVED THE BUSINESS" in text
    assert "! Revenue per user −3.0% (−5.0% to −1.0%) with Treatment." in text


def test_project__a_broken_experiment__has_no_number(shop, ranker):
    builders.snapshot(ranker, builders.broken_results(ranker))
    rendered = project_mail(shop)
    for said in (rendered.text, rendered.html):
        assert "+5.6%" not in said
        assert "MOVED" not in said.upper()


def test_project__says_what_happened_since_the_last_one(shop, ranker):
    builders.snapshot(ranker)
    happened(ranker, key="old", sentence="Long ago.", now=T0)
    happened(ranker, key="new", sentence="News.", now=NOW, happened_at=NOW)
    text = unwrapped(project_mail(shop, told_up_to=T0 + timedelta(days=1)).text)
    assert "SINCE THE LAST ONE, Tue 3 Mar Sun 15 Mar Ended: New ranker: News." in text
    assert "Long ago." not in text


def test_project__without_experiments__says_so(shop):
    rendered = project_mail(shop)
    assert rendered.subject == "Shop: no experiment is running"
    assert "No experiment is running" in rendered.text


def test_project__of_many__is_cut_and_stays_below_what_mail_programs_clip(shop):
    for number in range(60):
        one = builders.experiment(shop, f"e{number}")
        builders.snapshot(one, builders.results(one))
    rendered = project_mail(shop)
    assert "and 30 more, on the page." in rendered.text
    assert "(and 59 more experiments)" in rendered.subject
    assert len(rendered.html.encode()) < 102_000


def test_project__queries__do_not_grow_with_experiments(shop, django_assert_max_num_queries):
    for number in range(12):
        one = builders.experiment(shop, f"e{number}")
        builders.snapshot(one, builders.results(one))
        builders.alert(shop, key=one.key, experiment=one)
    digest_ = made(shop, told_up_to=T0)
    with django_assert_max_num_queries(5):
        rendering.render(digest_, NOW)


def test_result__since_the_last_one__says_what_it_said_and_what_happened(ranker):
    first = digest(ranker)
    early = builders.verdict(headline="Too early to say.")
    builders.snapshot(ranker, builders.results(ranker, verdict=early))
    assert queueing.queue_due(T0 + timedelta(minutes=1)) == 1
    builders.snapshot(ranker)
    happened(ranker, key="step", sentence="Something happened.", now=NOW, happened_at=NOW)
    first.refresh_from_db()
    text = unwrapped(rendering.render(first, NOW).text)
    assert "On Sun 15 Mar it said: Too early to say." in text
    assert "Since the last e-mail: Sun 15 Mar Ended: New ranker: Something happened." in text


# Milestones


def test_milestones__a_step__sends_one_and_none_without_news(shop, ranker):
    builders.snapshot(ranker)
    digests.subscribe(shop, ranker, "exec@example.com", MILESTONES, None, T0)
    assert queueing.queue_due(NOW) == 0
    happened(ranker, OccurrenceKind.READY, now=NOW)
    assert [queueing.queue_due(NOW), queueing.queue_due(NOW + timedelta(minutes=1))] == [1, 0]
    assert OutboxMessage.objects.get().subject.startswith("New ranker")


def test_milestones__an_alarm_or_another_experiment__is_none(shop, ranker):
    digests.subscribe(shop, ranker, "exec@example.com", MILESTONES, None, T0)
    happened(ranker, OccurrenceKind.BROKEN_SPLIT, now=NOW)
    happened(builders.experiment(shop, "other"), OccurrenceKind.ENDED, "other", now=NOW)
    assert queueing.queue_due(NOW) == 0


def test_milestones__in_quiet_hours__wait(shop, ranker):
    digests.subscribe(shop, ranker, "exec@example.com", MILESTONES, None, T0)
    Recipient.objects.update(quiet_from=22, quiet_until=7)
    happened(ranker, OccurrenceKind.ENDED, now=T0 + timedelta(minutes=1))
    night = datetime(2026, 3, 2, 23, tzinfo=UTC)
    assert [queueing.queue_due(night), queueing.queue_due(night + timedelta(hours=8))] == [0, 1]


def test_due__to_an_address_that_refuses__is_skipped_and_moves_on(shop, ranker):
    digest_ = digest(ranker)
    Recipient.objects.create(project=shop, email=digest_.email, disabled_at=T0)
    assert queueing.queue_due(T0 + timedelta(minutes=1)) == 0
    digest_.refresh_from_db()
    assert digest_.next_due_at > T0


# Portfolios


@pytest.fixture
def three(shop) -> list[Experiment]:
    return [builders.experiment(shop, key) for key in ("a", "b", "c")]


def keys(portfolio: Portfolio) -> set[str]:
    return {one.key for one in experiments_of(portfolio)}


def test_portfolio__chosen_by_owner_and_by_tag(shop, three):
    ada, bob = builders.user("ada@example.com"), builders.user("bob@example.com")
    a, b, c = three
    Experiment.objects.filter(pk=a.pk).update(owner=ada, tags=["search"])
    Experiment.objects.filter(pk=b.pk).update(created_by=ada)
    Experiment.objects.filter(pk=c.pk).update(owner=bob, created_by=ada, tags=["search"], archived_at=None)
    kind = Portfolio.Kind
    chosen = portfolios.make(shop, Wanted(name="chosen", kind=kind.CHOSEN, experiments=[a, c]), None)
    hers = portfolios.make(shop, Wanted(name="hers", kind=kind.OWNER, owner=ada), None)
    tagged = portfolios.make(shop, Wanted(name="tagged", kind=kind.TAG, tag="search"), None)
    assert (keys(chosen), keys(hers), keys(tagged)) == ({"a", "c"}, {"a", "b"}, {"a", "c"})
    assert AuditEntry.objects.filter(action="portfolio.make").count() == 3


def test_portfolio__its_digest__tells_of_its_experiments_alone(shop, three):
    chosen = portfolios.make(shop, Wanted(name="Search", kind=Portfolio.Kind.CHOSEN, experiments=three[:1]), None)
    for one in three:
        builders.snapshot(one, builders.results(one))
    builders.alert(shop, key="c", experiment=three[2], severity=Severity.URGENT)
    rendered = project_mail(shop, portfolio=chosen)
    assert rendered.subject.startswith("Search: A: ")
    assert "ALARMS" not in rendered.text
    assert "1 running" in rendered.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": Portfolio.Kind.CHOSEN}, "0 experiments are chosen"),
        ({"kind": Portfolio.Kind.OWNER}, "No owner"),
        ({"kind": Portfolio.Kind.TAG}, "No tag"),
        ({"kind": Portfolio.Kind.TAG, "tag": "x", "name": "taken"}, "already used"),
    ],
)
def test_portfolio__without_its_content_or_name__is_refused(shop, fields, said: str):
    portfolios.make(shop, Wanted(name="taken", kind=Portfolio.Kind.TAG, tag="x"), None)
    with pytest.raises(PortfolioError, match=said):
        portfolios.make(shop, Wanted(**{"name": "new", **fields}), None)


def test_portfolio__changed_to_the_same__audits_nothing_and_removal_ends_its_digests(shop, three):
    wanted = Wanted(name="Search", kind=Portfolio.Kind.CHOSEN, experiments=three)
    portfolio = portfolios.make(shop, wanted, None)
    made(shop, portfolio=portfolio)
    assert not portfolios.change(portfolio, wanted, None)
    assert portfolios.change(portfolio, Wanted(name="Find", kind=wanted.kind, experiments=three[:1]), None)
    assert AuditEntry.objects.filter(action="portfolio.change").count() == 1
    assert [portfolios.remove(portfolio, None), portfolios.remove(portfolio, None)] == [True, False]
    assert not Digest.objects.exists()
    assert Experiment.objects.count() == 3
