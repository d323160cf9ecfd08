"""The real data are whole, their replay is the same every time, and the lesson is the right one."""

from collections import Counter
from datetime import datetime

import pytest
from statsmodels.stats.proportion import test_proportions_2indep as proportions_test

from config.demo import bandit, replay

proportions_test.__test__ = False
ROWS = {campaign: list(bandit.impressions(campaign)) for campaign in bandit.CAMPAIGNS}


def clicks(campaign: str, policy: str) -> int:
    return sum(row.clicked for row in ROWS[campaign] if row.policy == policy)


def test_data__hold_ten_thousand_impressions_for_each_campaign_and_policy():
    counts = Counter((row.campaign, row.policy) for rows in ROWS.values() for row in rows)
    assert counts == dict.fromkeys([("all", "random"), ("all", "bts"), ("men", "random"), ("men", "bts")], 10_000)


def test_data__hold_the_known_numbers_of_clicks():
    assert [clicks(c, p) for c in ("all", "men") for p in ("random", "bts")] == [38, 42, 46, 69]


def test_data__are_of_one_week_in_november_2019():
    times = [row.at for rows in ROWS.values() for row in rows]
    assert min(times) >= bandit.STARTED
    assert max(times) + bandit.CLICK_DELAY < bandit.STOPPED


@pytest.mark.parametrize("campaign", bandit.CAMPAIGNS)
def test_expected_figures__are_those_of_statsmodels(campaign: str):
    control, treatment = clicks(campaign, "random"), clicks(campaign, "bts")
    # method="wald" is the unpooled standard error (statsmodels 0.14).
    test = proportions_test(treatment, 10_000, control, 10_000, method="wald", compare="diff")
    assert bandit.agrees(
        bandit.EXPECTED[campaign], control / 10_000, treatment / 10_000, float(test.statistic), float(test.pvalue)
    )


@pytest.mark.parametrize("wrong", [{"control": 0.0047}, {"treatment": 0.007}, {"z": 2.17}, {"p_value": 0.0331}])
def test_agrees__with_one_figure_off__says_no(wrong: dict[str, float]):
    figures = {"control": 0.0046, "treatment": 0.0069, "z": 2.1511, "p_value": 0.03147}
    assert bandit.agrees(bandit.EXPECTED["men"], **figures)
    assert not bandit.agrees(bandit.EXPECTED["men"], **{**figures, **wrong})


def test_replay__twice__sends_the_same_events():
    assert list(bandit.events(ROWS["men"][:500], "Men")) == list(bandit.events(ROWS["men"][:500], "Men"))


def test_replay__has_one_exposure_an_impression_and_one_click_a_clicked_one():
    sent = list(bandit.events(ROWS["men"], "Men"))
    assert Counter(event["event"] for event in sent) == {"Experiment Viewed": 20_000, "Product Clicked": 46 + 69}
    assert len({event["messageId"] for event in sent}) == len(sent)
    assert len({event["properties"]["impression_id"] for event in sent}) == 20_000


def test_replay__message_ids_of_two_campaigns_never_meet():
    ids = [{event["messageId"] for event in bandit.events(rows, "X")} for rows in ROWS.values()]
    assert not ids[0] & ids[1]


def test_replay__a_click_follows_its_exposure():
    at = {}
    for event in bandit.events(ROWS["all"], "All"):
        unit, moment = event["properties"]["impression_id"], datetime.fromisoformat(event["timestamp"])
        if event["event"] == "Experiment Viewed":
            at[unit] = moment
        else:
            assert moment > at[unit]


def test_replay__exposures_carry_the_logged_policy_and_the_visitors_feature_hash():
    first = next(bandit.events(ROWS["men"], "Men"))
    assert first["properties"]["variation_id"] == ROWS["men"][0].policy
    assert first["anonymousId"] == ROWS["men"][0].visitor
    assert len({row.visitor for rows in ROWS.values() for row in rows}) == 318


def test_lesson__of_two_campaigns__adjusts_the_one_that_reached_five_percent():
    text = "\n".join(replay.lesson({"all": 0.6541, "men": 0.03147}))
    assert "Holm-adjusted p over 2 campaigns (all, men): all .654, men .0629" in text
    assert "Bonferroni-adjusted p over 2 campaigns (all, men): all 1, men .0629" in text
    assert "1 of 2 campaigns reaches 5 % by itself, none after the adjustment" in text


def test_lesson__of_one_campaign__says_that_there_are_several():
    [line] = replay.lesson({"men": 0.03147})
    assert "one of several campaigns" in line


def test_figures__are_written_as_in_the_paper():
    row = replay.Replayed(
        campaign="men", impressions=(10_000, 10_000), control=0.0046, treatment=0.0069, z=2.15110, p_value=0.031472
    )
    assert next(replay.lines({"men": row})) == (
        "men: click-through .46 % (random) → .69 % (Thompson sampling), z 2.151, p .0315, 20,000 impressions"
    )
    assert row.as_expected


def test_figures__that_differ__are_marked_and_not_as_expected():
    row = replay.Replayed(
        campaign="men", impressions=(9_999, 10_000), control=0.0046, treatment=0.0069, z=2.15110, p_value=0.031472
    )
    assert not row.as_expected
    assert "EXPECTED" in next(replay.lines({"men": row}))
