"""Drift of predicted scores: read from what is folded, said in words, told, and over the API."""

import csv
import io
from datetime import timedelta

import numpy as np
import pytest
from django.urls import reverse

from analysis.alerts.kinds import AlertKind, Severity
from analysis.drifting import watching
from analysis.drifting.reading import Reading, read
from analysis.drifting.wording import finding
from analysis.mail import rendering, tasks
from analysis.models import Alert, Enrolment, FoldedProject, UnitScore
from analysis.stats.drift import DriftSize
from analysis.stats.unavailable import NotComputable
from experiments.domain.access import Scope
from experiments.domain.lifecycle import Status
from experiments.keys import issue_key
from experiments.models import Experiment
from tests import builders
from tests.analysis.mail.conftest import digest
from tests.builders import T0
from tests.experiments.api.asking import Api

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
UNITS = 300
NOW = T0 + 20 * DAY


def score(experiment, variant, days, shift=0.0, units=UNITS, quarantined=False):
    """Give a variant's units a score on each of the days (from the start on), moved by ``shift``."""
    random = np.random.default_rng([min(days), len(variant)])
    own = experiment.variants.get(key=variant)
    names = [f"{variant}-{number}{'-q' * quarantined}" for number in range(units)]
    Enrolment.objects.bulk_create(
        [Enrolment(experiment=experiment, unit=name, variant=own, first_at=T0, bucket=0, quarantined=quarantined)
         for name in names],
        ignore_conflicts=True,
    )  # fmt: skip
    UnitScore.objects.bulk_create(
        UnitScore(
            experiment=experiment, unit=name, day=(T0 + day * DAY).date(), at=T0 + day * DAY,
            value=round(float(value), 3),
        )
        for day in days
        for name, value in zip(names, random.beta(2 + shift, 5, units), strict=True)
    )  # fmt: skip


def up_to(experiment, days):
    at = T0 + days * DAY
    FoldedProject.objects.update_or_create(
        project=experiment.project, defaults={"data_up_to": at, "newest_at": at, "events": 1}
    )


@pytest.fixture
def moved(ranker):
    """Ten days; from the ninth on the treatment's scores are far higher."""
    up_to(ranker, 10)
    score(ranker, "control", range(10))
    score(ranker, "treatment", range(8))
    score(ranker, "treatment", range(8, 10), shift=3.0)
    return ranker


def reading(experiment) -> Reading:
    found = read(experiment, NOW)
    assert isinstance(found, Reading)
    return found


def test_read__scores_that_move_in_one_variant__are_told_from_the_others(moved):
    found = reading(moved)
    control, treatment = found.variants
    assert [day.day.day for day in treatment.days] == [9, 10, 11]
    assert [day.size for day in treatment.days] == [DriftSize.NONE, DriftSize.LARGE, DriftSize.LARGE]
    assert {day.size for day in control.days} == {DriftSize.NONE}
    assert found.drifted == (treatment,)
    said = finding(found)
    assert said.headline == "Scores have moved far in Treatment since the launch week."
    assert "2 Mar 2026 to 8 Mar 2026" in said.explanation
    assert "look at this model" in said.what_to_do


def test_read__every_variant_moves_alike__blames_the_world(ranker):
    up_to(ranker, 10)
    for variant in ("control", "treatment"):
        score(ranker, variant, range(8))
        score(ranker, variant, range(8, 10), shift=3.0)
    assert reading(ranker).everywhere
    said = finding(reading(ranker))
    assert "in every variant" in said.headline
    assert said.what_to_do.startswith("People or the world have changed")


def test_read__one_odd_day__is_no_drift(ranker):
    up_to(ranker, 10)
    score(ranker, "treatment", range(9))
    score(ranker, "treatment", range(9, 10), shift=3.0)
    assert reading(ranker).drifted == ()
    assert "one day alone says little" in finding(reading(ranker)).headline


def test_read__a_day_under_way_and_quarantined_units__do_not_count(ranker):
    up_to(ranker, 9)
    score(ranker, "treatment", range(10))
    score(ranker, "treatment", range(7, 9), shift=3.0, units=3 * UNITS, quarantined=True)
    (treatment,) = [one for one in reading(ranker).variants if one.days]
    assert [day.units for day in treatment.days] == [UNITS, UNITS]
    assert treatment.lasting is DriftSize.NONE


@pytest.mark.parametrize(
    ("days", "units", "words"), [(5, UNITS, "Too early to tell"), (10, 50, "Cannot be said"), (10, UNITS, "as in the")]
)
def test_finding__says_what_can_be_said(ranker, days, units, words):
    up_to(ranker, days)
    score(ranker, "treatment", range(days), units=units)
    assert words in finding(reading(ranker)).headline


def test_read__without_scores__says_why(ranker):
    assert isinstance(read(ranker, NOW), NotComputable)


def test_watch__two_days_of_drift__warns_once_and_ends_by_itself(moved):
    assert watching.watch(NOW) == watching.watch(NOW) == 1
    alert = Alert.objects.get()
    assert (alert.kind, alert.key, alert.severity, alert.experiment) == (
        AlertKind.DATA_QUALITY, "drift/new-ranker/1/treatment", Severity.WARNING, moved
    )  # fmt: skip
    assert alert.sentence.startswith("New ranker: scores have moved far for two days. Treatment: the mean score went")
    up_to(moved, 12)
    score(moved, "treatment", range(10, 12))
    assert watching.watch(NOW) == 0
    assert Alert.objects.get().closed_because.startswith("Scores spread as in the launch week again")


def test_watch__an_experiment_that_stops__is_told_no_more(moved):
    watching.watch(NOW)
    Experiment.objects.filter(pk=moved.pk).update(status=Status.STOPPED.value, stopped_at=NOW)
    tasks.watch_drift()
    tasks.watch_drift()
    assert Alert.objects.get().closed_because == "The experiment ended."


def test_section__of_drift__says_it_with_the_numbers(client_of_bob, moved, django_assert_max_num_queries):
    with django_assert_max_num_queries(14):
        found = client_of_bob.get(reverse("experiment_drift", args=["shop", "new-ranker"])).content.decode()
    assert "Scores have moved far in Treatment" in found
    assert "drift-figure" in found
    assert found.count("<details>") == 3


def test_section__without_scores__says_how_to_send_them(client_of_bob, ranker):
    found = client_of_bob.get(reverse("experiment_drift", args=["shop", "new-ranker"]), headers={"HX-Request": "true"})
    assert "<code>score</code>" in found.content.decode()
    assert "<html" not in found.content.decode()


@pytest.mark.parametrize("name", ["experiment_drift", "experiment_drift_csv"])
def test_section_and_file__for_a_stranger__are_not_there(client_of_charlie, moved, name):
    assert client_of_charlie.get(reverse(name, args=["shop", "new-ranker"])).status_code == 404


def test_files__of_drift__have_every_day_of_the_section(client_of_bob, moved):
    sheet = client_of_bob.get(reverse("experiment_drift_csv", args=["shop", "new-ranker"])).content.decode()
    rows = list(csv.DictReader(io.StringIO(sheet)))
    assert [(row["variant"], row["day"], row["size"]) for row in rows[-3:]] == [
        ("treatment", "2026-03-09", "none"), ("treatment", "2026-03-10", "large"), ("treatment", "2026-03-11", "large")
    ]  # fmt: skip
    assert len(rows) == 6
    builders.snapshot(moved)
    whole = client_of_bob.get(reverse("results_json", args=["shop", "new-ranker"])).json()
    assert whole["drift"]["headline"] == "Scores have moved far in Treatment since the launch week."
    builders.experiment(moved.project, "other")
    assert client_of_bob.get(reverse("experiment_drift_csv", args=["shop", "other"])).status_code == 404


def test_digest__while_scores_have_moved__says_so_and_no_longer(moved):
    watching.watch(NOW)
    builders.snapshot(moved)
    weekly = digest(moved)
    mail = rendering.render(weekly, NOW)
    said = "Scores have moved far for two days. Treatment: the mean score went"
    assert (said in " ".join(mail.text.split()), said in mail.html) == (True, True)
    assert "look at this model" in " ".join(mail.text.split())
    Alert.objects.update(closed_at=NOW)
    assert "Scores have moved" not in rendering.render(weekly, NOW).text


def test_results_page__with_scores__asks_for_the_section(client_of_bob, moved):
    builders.snapshot(moved)
    found = client_of_bob.get(reverse("experiment_results", args=["shop", "new-ranker"])).content.decode()
    assert reverse("experiment_drift", args=["shop", "new-ranker"]) in found


def test_api__says_what_the_section_says(shop, moved):
    api = Api(issue_key(shop, "reader", [Scope.READ], None)[1])
    answer = api.ok("GET", "/experiments/new-ranker/drift")
    assert answer["headline"] == "Scores have moved far in Treatment since the launch week."
    treatment = answer["variants"][1]
    assert (treatment["lasting"], treatment["days"][-1]["size"], len(treatment["days"])) == ("large", "large", 3)
    assert sum(treatment["days"][-1]["shares"]) == pytest.approx(1)
    builders.experiment(shop, "other")
    assert "no exposure" in api.ok("GET", "/experiments/other/drift")["not_known"]
