"""The demo's archive and its launch that did not last."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from analysis.models import PastEffect, PastImport
from config.demo import archive, fading, project
from config.demo.catalogue import FADED, SHIPPED
from experiments import lifecycle
from experiments.domain.kinds import ExperimentKind
from experiments.models import AuditEntry, Experiment

TODAY = date(2026, 11, 30)


def test_rows__have_the_slope_that_they_are_drawn_with():
    seen: dict[str, list[float]] = {}
    for _, _, _, metric, _, mean, _, _, control, _ in archive.rows(TODAY):
        seen.setdefault(metric, []).append(np.log(float(mean) / float(control)))
    clicks, orders = np.array(seen["click-through"]), np.array(seen["orders-per-shopper"])
    assert len(clicks) == archive.COUNT
    naive = np.polyfit(clicks, orders, 1)[0]
    error = np.std(orders - naive * clicks) / np.std(clicks) / np.sqrt(archive.COUNT)
    pulled = (0.35 * 0.05**2 + 0.5 * 0.9 * 2.6 * 2 / 3_500) / (0.05**2 + 0.9**2 * 2 / 3_500)
    assert abs(naive - pulled) < 3 * error


def test_rows__end_months_before_today_in_order():
    ended = [row[2] for row in archive.rows(TODAY)]
    assert ended == sorted(ended)
    assert ended[-1] == str(TODAY - timedelta(days=archive.LAST_DAYS_AGO))


@pytest.mark.django_db
def test_archive__twice__is_imported_once_and_leaves_nothing_out():
    shop, user = project.ensure_demo_shop()
    for _ in range(2):
        archive.ensure_north_star(shop, user)
        archive.ensure_archive(shop, user, TODAY)
    kept = PastImport.objects.get()
    assert (kept.treatments, kept.left) == (archive.COUNT, {})
    assert set(Counter(PastEffect.objects.values_list("family", flat=True))) == set(archive.FAMILIES)
    assert shop.north_star.key == archive.NORTH_STAR
    assert AuditEntry.objects.filter(project=shop, action="past.import").count() == 1


@pytest.mark.django_db
def test_ship__twice__keeps_one_holdback_whose_parts_follow_each_other():
    shop, user = project.ensure_demo_shop()
    experiment = project.ensure_experiment(shop, user, SHIPPED)
    start = datetime(2026, 9, 19, tzinfo=UTC)
    project.start_in_the_past(experiment, user, start)
    end = start + timedelta(days=SHIPPED.days)
    lifecycle.stop(experiment, user, SHIPPED.why_stopped, at=end)
    held = fading.ship(experiment, user)
    assert fading.ship(experiment, user) == held
    assert Experiment.objects.filter(kind=ExperimentKind.HOLDBACK.value).get().started_at == end
    first, second = fading.drives(experiment, held)
    assert (first.start, second.start) == (end, end + timedelta(days=FADED[0].days))
    assert first.story.key == experiment.key
    assert (first.names.experiment, first.names.variants[0][0]) == (held.key, "control")
    assert first.names.prefix != second.names.prefix
    assert first.story.effects.ctr > 5 * second.story.effects.ctr > 0
    assert not fading.is_told(held)


def test_faded__fills_the_time_since_the_launch_up_to_days_ago():
    assert SHIPPED.ended is not None
    assert 0 < SHIPPED.ended - sum(part.days for part in FADED) <= 3
