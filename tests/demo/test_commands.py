"""The demo's commands refuse what they cannot do, in one line that says what is allowed."""

import pytest
from django.core.management import CommandError, call_command

from config.management.commands.simulate_shop import story_of


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--shoppers", "0"], r"--shoppers is 0; it must lie between 1 and 1,000,000"),
        (["--days", "400"], r"--days is 400; it must lie between 1 and 365"),
        (["--seed", "-1"], r"--seed is -1; it must lie between 0 and"),
        (["--live", "--rate", "0"], r"--rate is 0; it must lie between 0.01 and 200"),
        (["--connections", "0"], r"--connections is 0; it must lie between 1 and 256"),
        (["--lost-exposures", "0.1"], r"--lost-exposures is for a broken split; add --split broken"),
        (["--split", "broken", "--lost-exposures", "0.9"], r"--lost-exposures is 0.9; it must lie between 0 and 0.25"),
        (["--ctr-effect", "1.5"], r"--ctr-effect is 1.5; it must lie between -0.9 and 1"),
        (["--score-drift", "-2"], r"--score-drift is -2; it must lie between -1 and 5"),
        (["--latency-effect", "-1"], r"--latency-effect is -1; it must lie between -0.9 and 5"),
        (["--ctr-effect", "much"], r"invalid float value: 'much'"),
        (["--base-url", "127.0.0.1:8000"], r"base URL is '127.0.0.1:8000'; it must look like http://"),
    ],
)
def test_simulate_shop__with_a_bad_value__says_what_is_allowed(arguments: list[str], words: str):
    # No database is asked for: what is wrong with the options is said before anything is touched.
    with pytest.raises(CommandError, match=words) as refused:
        call_command("simulate_shop", *arguments)
    assert "\n" not in str(refused.value)


def test_replay__of_an_unknown_campaign__names_the_known_ones():
    with pytest.raises(CommandError, match=r"invalid choice: 'women' \(choose from '?all'?, '?men'?\)"):
        call_command("replay_open_bandit", "--campaign", "women")


def test_simulate_shop__of_a_stopped_experiment__is_refused(db, tmp_path, settings):
    from config.demo.project import ensure_demo_shop
    from experiments.domain.lifecycle import Status
    from tests import builders

    settings.HOME = tmp_path
    shop, _ = ensure_demo_shop()
    builders.experiment(shop, "over", status=Status.STOPPED)
    with pytest.raises(CommandError, match="The experiment over has been stopped; choose another --experiment"):
        call_command("simulate_shop", "--experiment", "over")


def test_simulate_shop__on_session_units__is_refused(db, tmp_path, settings):
    from config.demo.project import ensure_demo_shop
    from tests import builders

    settings.HOME = tmp_path
    shop, _ = ensure_demo_shop()
    builders.experiment(shop, "by-session", unit_type="session")
    with pytest.raises(CommandError, match="is on session units; simulated shoppers are users"):
        call_command("simulate_shop", "--experiment", "by-session")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--experiment", "a/b"], r"The key is 'a/b'; use letters, digits"),
        (["--project", "../x"], r"--project is '../x'; it must be made of letters, digits"),
    ],
)
def test_simulate_shop__for_a_key_that_no_address_can_hold__is_refused_in_one_line(
    db, tmp_path, settings, arguments: list[str], words: str
):
    from experiments.models import Project

    settings.HOME = tmp_path
    with pytest.raises(CommandError, match=words) as refused:
        call_command("simulate_shop", *arguments)
    assert "\n" not in str(refused.value)
    assert not Project.objects.filter(slug="../x").exists()


def test_simulate_shop__takes_the_truth_from_its_options():
    options = {
        "experiment": "mine", "shoppers": 10, "days": 3, "seed": 5, "split": "broken", "lost_exposures": None,
        "ctr_effect": 0.1, "purchase_effect": -0.1, "value_effect": 0.2, "latency_effect": 0.0,
        "score_drift": -0.3,
    }  # fmt: skip
    plan = story_of(options)
    assert (plan.effects.ctr, plan.effects.purchase, plan.effects.value) == (0.1, -0.1, 0.2)
    assert (plan.lost_exposures, plan.score_drift) == (0.15, -0.3)
