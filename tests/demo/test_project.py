"""What the demo puts into the database: once, reproducibly, and with a key that only its owner reads."""

import stat
from datetime import timedelta

import pytest
from django.conf import settings

from analysis.mail.digests import active
from config.demo import bandit, live, project, replay
from config.demo.catalogue import METRICS, MODELS, RANKER, story
from config.demo.credentials import DEMO_EMAIL, DEMO_PASSWORD, EXECUTIVE_EMAIL
from config.demo.loading import is_told
from config.demo.shop import NO_EFFECT
from experiments.domain.access import Role
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricKind
from experiments.keys import digest, revoke
from experiments.models import ApiKey, AuditEntry, Experiment, Membership, Metric, ModelVersion, Project, User, Variant
from tests import builders

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def home_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "HOME", tmp_path)


def told(key: str = "search-ranker-v8"):
    found = story(key)
    assert found is not None
    return found


def test_demo_shop__made_twice__is_there_once():
    first, second = project.ensure_demo_shop(), project.ensure_demo_shop()
    assert first == second
    assert Project.objects.count() == User.objects.count() == Membership.objects.count() == 1
    assert Metric.objects.count() == len(METRICS)
    assert ModelVersion.objects.count() == len(MODELS)


def test_demo_user__can_sign_in_and_administers_the_shop():
    shop, user = project.ensure_demo_shop()
    assert user.email == DEMO_EMAIL
    assert user.check_password(DEMO_PASSWORD)
    assert Membership.objects.get(project=shop, user=user).role == Role.ADMIN


def test_digests__go_weekly_to_the_demo_user_and_to_an_executive_without_an_account():
    shop, user = project.ensure_demo_shop()
    for _ in range(2):
        project.ensure_digests(shop, user)
    found = list(active(shop, None))
    assert [digest.email for digest in found] == [DEMO_EMAIL, EXECUTIVE_EMAIL]
    assert {digest.cadence for digest in found} == {"weekly"}
    assert not User.objects.filter(email=EXECUTIVE_EMAIL).exists()


def test_key__is_kept_for_its_owner_alone_and_used_again():
    shop, user = project.ensure_demo_shop()
    key = project.ensure_key(shop, user)
    assert project.ensure_key(shop, user) == key
    assert stat.S_IMODE(project.key_file(shop).stat().st_mode) == 0o600
    assert set(ApiKey.objects.get(digest=digest(key)).scopes) == {"evaluate", "ingest", "read"}


def test_key__that_was_revoked__is_replaced():
    shop, user = project.ensure_demo_shop()
    old = project.ensure_key(shop, user)
    revoke(ApiKey.objects.get(), user)
    assert project.ensure_key(shop, user) != old
    assert ApiKey.objects.filter(revoked_at=None).count() == 1


def test_key__of_another_project__has_a_file_of_its_own():
    shop, user = project.ensure_demo_shop()
    other = replay.ensure_bandit_project(user)
    assert project.ensure_key(shop, user) != project.ensure_key(other, user)


def test_experiment__is_made_once_as_a_draft_with_its_models_and_a_salt_that_repeats():
    shop, user = project.ensure_demo_shop()
    experiment = project.ensure_experiment(shop, user, told())
    assert project.ensure_experiment(shop, user, told()) == experiment
    assert experiment.status == Status.DRAFT
    assert experiment.salt == project.reproducible_salt("search-ranker-v8", told().seed)
    assert [str(variant.model_version) for variant in experiment.variants.all()] == [f"{RANKER} v7", f"{RANKER} v8"]


def test_start_in_the_past__starts_a_draft_back_then():
    shop, user = project.ensure_demo_shop()
    experiment = project.ensure_experiment(shop, user, told())
    project.start_in_the_past(experiment, user, builders.T0)
    stored = Experiment.objects.get()
    assert (stored.status, stored.started_at) == (Status.RUNNING, builders.T0)


def test_start_in_the_past__of_a_running_one__moves_its_start_back_never_forward_and_says_so():
    shop, user = project.ensure_demo_shop()
    experiment = project.ensure_experiment(shop, user, told())
    project.start_in_the_past(experiment, user, builders.T0)
    project.start_in_the_past(experiment, user, builders.T0 + timedelta(days=1))
    assert Experiment.objects.get().started_at == builders.T0
    project.start_in_the_past(experiment, user, builders.T0 - timedelta(days=1))
    assert Experiment.objects.get().started_at == builders.T0 - timedelta(days=1)
    assert AuditEntry.objects.filter(action="experiment.back-date").count() == 1


def test_truths__go_by_what_a_metric_counts_and_not_by_its_name():
    shop, _ = project.ensure_demo_shop()
    mine = builders.metric(shop, "buyers", kind=MetricKind.PROPORTION, event="Order Completed")
    experiment = builders.experiment(shop, primary=mine)
    assert project.truths(experiment) == {"buyers": "purchase_rate"}


def test_truths__of_a_metric_that_the_shop_knows_nothing_of__are_left_out():
    shop, _ = project.ensure_demo_shop()
    experiment = builders.experiment(shop, primary=builders.metric(shop, "opened", event="Mail Opened"))
    assert project.truths(experiment) == {}


def test_campaign__runs_on_impressions_in_november_2019_and_ends_there():
    user = project.ensure_user()
    home = replay.ensure_bandit_project(user)
    experiment = replay.ensure_campaign(home, user, "men")
    assert replay.ensure_campaign(home, user, "men") == experiment
    replay.close(experiment, user)
    replay.close(experiment, user)
    stored = Experiment.objects.get()
    assert (stored.unit_type, stored.status) == ("impression", Status.STOPPED)
    assert (stored.started_at, stored.stopped_at) == (bandit.STARTED, bandit.STOPPED)


def test_story__without_results__is_not_told_yet():
    shop, user = project.ensure_demo_shop()
    experiment = project.ensure_experiment(shop, user, told("live-ranker"))
    assert not is_told(told("live-ranker"), experiment)
    project.start_in_the_past(experiment, user, builders.T0)
    assert not is_told(told("live-ranker"), experiment)


def test_live_feed__finds_what_runs_on_users_and_was_not_filled_by_a_simulation():
    shop, _ = project.ensure_demo_shop()
    now = dict.fromkeys(["created_at", "started_at"], builders.T0)
    builders.experiment(shop, "from-the-page", **now)
    builders.experiment(shop, "simulated", created_at=builders.T0, started_at=builders.T0 - timedelta(days=14))
    builders.experiment(shop, "draft", status=Status.DRAFT)
    builders.experiment(shop, "on-sessions", unit_type="session", **now)
    builders.experiment(builders.project(), "elsewhere", **now)
    shipped = builders.experiment(shop, "shipped", status=Status.STOPPED)
    builders.experiment(shop, "shipped-holdback", kind=ExperimentKind.HOLDBACK, parent=shipped, **now)
    builders.experiment(shop, "holdout", kind=ExperimentKind.HOLDOUT, **now)
    found = live.running_experiments(shop, "live-s1")
    asked = {running.names.experiment: running.flag for running in found}
    assert asked == {"from-the-page": "from-the-page", "shipped-holdback": "shipped"}


def test_live_feed__a_variant_acts_as_its_model_does_relative_to_the_controls():
    shop, _ = project.ensure_demo_shop()
    experiment = builders.experiment(shop, "new", created_at=builders.T0, started_at=builders.T0)
    for key, version in (("control", "v8"), ("treatment", "v9")):
        model = ModelVersion.objects.get(name=RANKER, version=version)
        Variant.objects.filter(experiment=experiment, key=key).update(model_version=model)
    [running] = live.running_experiments(shop, "live-s1")
    assert running.effects[0] == NO_EFFECT
    assert running.effects[1] == told("live-ranker").effects


def test_live_feed__a_variant_without_a_known_model__does_nothing():
    shop, _ = project.ensure_demo_shop()
    builders.experiment(shop, "new", created_at=builders.T0, started_at=builders.T0)
    [running] = live.running_experiments(shop, "live-s1")
    assert running.effects == (NO_EFFECT, NO_EFFECT)
