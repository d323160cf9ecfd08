import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from msgspec import structs

from analysis.mail import contents, rendering
from analysis.mail.parts import Rendered
from analysis.pages.sample_chains import CHAINS
from analysis.results.chain import Chain
from analysis.results.schema import Check, Looks, Results
from experiments.domain.lifecycle import Status
from experiments.models import Experiment
from experiments.pages.formats import bounds
from tests import builders
from tests.analysis.mail.conftest import digest
from tests.builders import T0

NOW = builders.results().as_of + timedelta(hours=1)
GMAIL_CLIPS_AT = 102_000


def mail(ranker: Experiment, results: Results | None = None, **fields: Any) -> Rendered:
    builders.snapshot(ranker, results)
    return rendering.render(digest(ranker, **fields), NOW)


def unwrapped(text: str) -> str:
    return " ".join(unescape(text).split())


def facts(**fields: Any) -> Results:
    made = builders.results()
    return structs.replace(made, experiment=structs.replace(made.experiment, **fields))


def many_metrics(metrics: int, treatments: int) -> Results:
    made = builders.results()
    control, treatment = made.variants
    keys = [f"treatment-{number}" for number in range(treatments)]
    return structs.replace(
        made,
        variants=[control, *(structs.replace(treatment, key=key, name=key.capitalize()) for key in keys)],
        metrics=[
            builders.metric_result(
                f"metric-number-{number}",
                *(builders.comparison(variant=key) for key in keys),
                role="primary" if number == 0 else "secondary",
            )
            for number in range(metrics)
        ],
        effect_over_time=[builders.effect_series("metric-number-0", key) for key in keys],
    )


def test_subject__states_the_finding(ranker):
    assert mail(ranker).subject == (
        "New ranker: Click-through rate is up, but pages are slower and revenue did not move."
    )


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.label)
def test_chain__each_verdict__stands_in_the_mail_with_every_link_and_its_interval(ranker, chain: Chain):
    made = mail(ranker, structs.replace(builders.results(), chains=[chain]))
    html = unwrapped(unescape(re.sub(r"<[^>]+>", " ", made.html)))
    for said in (unwrapped(made.text), html):
        assert chain.label in said
        assert chain.sentence in said
        for link in chain.links:
            assert link.name in said
            if link.lift_interval is not None and link.lift is not None:
                assert bounds(link.lift_interval) in said
        for one in chain.look_at:
            assert one.finding in said


def test_subject__a_headline_with_the_name__does_not_repeat_it(ranker):
    verdict = builders.verdict(headline="New ranker raised revenue by 5.6%.")
    assert mail(ranker, builders.results(verdict=verdict)).subject == "New ranker raised revenue by 5.6%."


def test_subject__a_name_with_line_breaks__stays_one_line(ranker):
    assert "\n" not in mail(ranker, facts(name="Ranker\r\nBcc: everyone@example.com")).subject


def test_subject__very_long__is_cut(ranker):
    subject = mail(ranker, facts(name="long " * 100)).subject
    assert len(subject) == contents.SUBJECT_LIMIT
    assert subject.endswith("…")


@pytest.mark.parametrize("part", ["text", "html"])
def test_both_parts__without_pictures__hold_the_whole_answer(ranker, part: str):
    rendered = mail(ranker)
    said = unwrapped(getattr(rendered, part))
    for words in (
        "Click-through rate is up, but pages are slower and revenue did not move.",
        "Make the pages faster before you ship.",
        "Running, day 14 of 14",
        "184,206 users",
        "15 Mar 2026, 12:00 (UTC)",
        "+5.6%",
        "+2.1% to +9.2%",
        "Better",
        "212 ms against 203 ms",
        "limit +2.0%, crossed",
        "−4.8% to +1.9%",
        "No clear change",
        "95% interval",
        f"/results/{rendered.snapshot.pk}/",
        "/unsubscribe/",
    ):
        assert words in said, words


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"day": 15}, "Running, day 15, planned 14"),
        ({"day": 14, "stopped_at": T0 + timedelta(days=14)}, "Stopped on day 14"),
        ({"day": 3, "status": "paused"}, "Paused on day 3"),
    ],
)
def test_status__past_the_plan_or_stopped__is_in_the_pages_words(ranker, about: dict[str, object], said: str):
    assert contents.status(facts(**about)) == said


def test_problem__whose_cure_is_the_next_step__does_not_repeat_it(ranker):
    results = builders.broken_results()
    told = structs.replace(results.verdict, next_step="Mend the redirect.")
    check = Check(key="k", name="Traffic split", ok=False, summary="broken", what_to_do="Mend the redirect.")
    other = structs.replace(check, what_to_do="Ask the app's team.")
    results = structs.replace(results, verdict=told, health=structs.replace(results.health, checks=[check, other]))
    problems = contents.problems_of(results, "UTC", NOW)
    assert problems[:2] == ["Traffic split broken.", "Traffic split broken. Ask the app's team."]


def test_text__columns_are_aligned(ranker):
    lines = [line for line in mail(ranker).text.splitlines() if re.search(r"%  \(.* to ", line)]
    assert len(lines) == 3
    assert len({line.index("(") for line in lines}) == 1
    assert len({re.search(r"[✓!–] ", line).start() for line in lines}) == 1


def test_text__sentences_are_wrapped(ranker):
    lines = mail(ranker, builders.broken_results()).text.splitlines()
    assert max(len(line) for line in lines if "http" not in line) <= rendering.TEXT_WIDTH


def test_times__are_on_the_recipients_clock(ranker):
    assert "15 Mar 2026, 21:00 (Asia/Tokyo)" in mail(ranker, time_zone="Asia/Tokyo").text


def test_html__styles_are_inlined_and_media_queries_kept(ranker):
    html = mail(ranker).html
    assert '<h1 style="' in html
    assert "prefers-color-scheme: dark" in html
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "max-width: 600px" in html


def test_html__names_from_people__are_escaped_and_the_text_is_not(ranker):
    rendered = mail(ranker, facts(name="R&D <script>alert(1)</script>"))
    assert "<script>" not in rendered.html
    assert "R&D <script>" in rendered.text


def test_html__every_picture_it_names__is_attached(ranker):
    rendered = mail(ranker)
    assert set(re.findall(r'src="cid:([^"]+)"', rendered.html)) == set(rendered.pictures)
    assert all(alt for alt in re.findall(r'<img[^>]*alt="([^"]*)"', rendered.html))


def test_html__twenty_metrics_and_three_treatments__is_not_clipped(ranker):
    rendered = mail(ranker, many_metrics(20, 3))
    assert len(rendered.html.encode()) < GMAIL_CLIPS_AT
    assert "Metric number 19, Treatment-2" in rendered.text
    assert "The first 20 changes on one zero line" in rendered.html


def test_intervals__that_share_the_risk__are_named_with_their_level(ranker):
    wider = builders.metric_result("click-through-rate", builders.comparison(alpha=0.025), name="Click-through rate")
    assert "97.5% for Click-through rate" in unwrapped(mail(ranker, builders.results(metrics=[wider])).text)


def test_untrustworthy__withholds_every_reading_and_says_why(ranker):
    rendered = mail(ranker, builders.broken_results())
    assert rendered.subject == "New ranker: The traffic split is broken: do not read these results."
    assert rendered.pictures == {}
    for said in (unwrapped(rendered.text), unwrapped(rendered.html)):
        assert "The readings are withheld" in said
        assert "51.1 / 48.9 where 50 / 50 was designed" in said
        assert "88,001" in said
        for withheld in ("+5.6%", "Better", "Worse", "12.71%", "cid:"):
            assert withheld not in said


def test_failed_check__on_a_trustworthy_result__is_stated_with_what_to_do(ranker):
    check = Check(key="exposure-data", name="Exposure data", ok=False, summary="stops at noon", what_to_do="Look.")
    rendered = mail(ranker, builders.results(health=builders.health(checks=[check])))
    assert "! Exposure data stops at noon. Look." in rendered.text
    assert "Exposure data stops at noon. Look." in rendered.html


def test_data__a_day_old_in_a_running_experiment__are_called_old(ranker):
    results = builders.results(data_up_to=NOW - timedelta(hours=25))
    assert "! No data since 14 Mar 2026, 12:00 (UTC)." in mail(ranker, results).text


def test_data__old_in_a_stopped_experiment__are_as_they_should_be(ranker):
    results = structs.replace(facts(stopped_at=T0), data_up_to=T0)
    assert "No data since" not in mail(ranker, results).text


def test_no_results__says_so_and_why(shop):
    draft = builders.experiment(shop, "draft", name="Draft idea", status=Status.DRAFT)
    rendered = rendering.render(digest(draft), NOW)
    assert rendered.subject == "No results yet: Draft idea"
    assert "The experiment has not started." in rendered.text
    assert (rendered.snapshot, rendered.pictures) == (None, {})


def test_result__is_the_newest_snapshot_and_names_it_exactly(ranker):
    builders.snapshot(ranker)
    newest = builders.snapshot(ranker, builders.results(verdict=builders.verdict(headline="Newer.")))
    rendered = rendering.render(digest(ranker), NOW)
    assert rendered.snapshot == newest
    assert f"/p/shop/experiments/new-ranker/results/{newest.pk}/" in rendered.html


def test_pictures__for_ten_recipients__are_drawn_once(ranker, monkeypatch: pytest.MonkeyPatch):
    builders.snapshot(ranker)
    drawn, calls = {}, []
    draw = rendering.draw
    monkeypatch.setattr(rendering, "draw", lambda *arguments: calls.append(1) or draw(*arguments))
    for number in range(10):
        rendering.render(digest(ranker, f"p{number}@example.com"), NOW, drawn)
    assert len(calls) == 1


def test_text__of_a_plan_that_allows_for_looks__says_how_it_is_read(ranker):
    looks = Looks(plan="group_sequential", sentence="Look 3, at 40% of the planned users.", units=4000, look=3)
    rendered = mail(ranker, structs.replace(builders.results(), looks=looks))
    assert "Look 3, at 40% of the planned users." in unwrapped(rendered.text)
    assert "Look 3, at 40% of the planned users." in unwrapped(rendered.html)
