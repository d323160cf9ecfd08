"""What is published of each thing a product manager can say, and what it means for units."""

import pytest

from tests.assignment.rows import (
    UNITS,
    Published,
    experiment,
    flag,
    holdback,
    holdout,
    needs,
    override,
    rule,
    segment,
    shipped,
    variant,
)

SPLIT = {
    "id": "experiment",
    "key": "ranker",
    "name": "",
    "phase": "0",
    "seed": "salt of ranker",
    "hashVersion": 2,
    "hashAttribute": "id",
    "variations": ["control", "treatment"],
    "weights": [0.5, 0.5],
    "coverage": 1.0,
    "meta": [{"key": "control"}, {"key": "treatment"}],
}

THREE = (variant("a", weight=3334), variant("b", weight=3333), variant("c", weight=3333))


class TestExperiment:
    def test_experiment__running__is_one_rule_over_the_controls_value(self):
        published = Published(experiment())
        assert published.features == {"ranker": {"defaultValue": "control", "rules": [SPLIT]}}
        assert published.document.facts["ranker"].default_variant == "control"
        assert published.document.facts["ranker"].variants == ("",)

    def test_experiment__of_sessions_with_a_fallback_and_versions__says_so(self):
        one = experiment(
            unit_type="session", fallback_unit_type="device", phase=3, bucket_version=2, min_bucket_version=1, name="R"
        )
        assert Published(one).rules() == [
            SPLIT
            | {
                "name": "R",
                "hashAttribute": "session_id",
                "fallbackAttribute": "device_id",
                "phase": "2",
                "bucketVersion": 2,
                "minBucketVersion": 1,
            }
        ]

    def test_experiment__in_a_layer__takes_only_its_places(self):
        one = experiment(layer_salt="layer", layer_ranges=((0, 2500), (5000, 6000)))
        published = Published(one)
        assert published.rules()[0]["filters"] == [
            {"attribute": "id", "seed": "layer", "hashVersion": 2, "ranges": [[0.0, 0.25], [0.5, 0.6]]}
        ]
        assert 600 < len(published.assigned()) < 800

    def test_experiment__two_in_one_layer__share_no_unit(self):
        left = experiment("left", layer_salt="layer", layer_ranges=((0, 5000),))
        right = experiment("right", layer_salt="layer", layer_ranges=((5000, 10_000),))
        published = Published(left, right)
        assert published.assigned("left") | published.assigned("right") == set(UNITS)
        assert not published.assigned("left") & published.assigned("right")

    def test_experiment__targeted__reaches_those_alone_and_others_get_the_control(self):
        published = Published(experiment(targeting={"country": {"$in": ["DE", "AT"]}}))
        assert published.rules()[0]["condition"] == {"country": {"$in": ["DE", "AT"]}}
        treated = next(unit for unit in UNITS if published.ask("ranker", unit, country="DE").value == "treatment")
        assert published.ask("ranker", treated, country="US").value == "control"

    def test_experiment__paused_or_stopped__gives_everyone_the_control_without_a_rule(self):
        for status in ("paused", "stopped"):
            published = Published(experiment(status=status, overrides=(override("shopper-1"),)))
            assert published.features["ranker"] == {"defaultValue": "control", "rules": []}
            assert published.document.facts["ranker"].status == status

    def test_experiment__a_draft__is_served_where_teams_try_it_and_not_in_production(self):
        draft = experiment(status="draft")
        assert Published(draft).features == {}
        for environment in ("staging", "development"):
            assert Published(draft, environment=environment).rules() == [SPLIT]

    def test_experiment__not_for_this_environment__is_disabled_with_the_control(self):
        published = Published(experiment(environments=("staging",)))
        assert published.features["ranker"] == {"defaultValue": "control", "rules": []}
        assert published.document.facts["ranker"].status == "disabled"

    @pytest.mark.parametrize(
        ("values", "expected"),
        [((1, 1.5), "[1.0, 1.5]"), ((1.0, 2.0), "[1.0, 2.0]"), ((1, 2), "[1, 2]"), ((True, 0.5), "[True, 0.5]")],
    )
    def test_experiment__numbers__are_all_of_one_type(self, values, expected):
        one = experiment(variants=(variant("a", value=values[0]), variant("b", value=values[1])))
        assert repr(Published(one).rules()[0]["variations"]) == expected

    def test_experiment__its_models__are_among_the_facts(self):
        one = experiment(variants=(variant("control", model="ranker 6"), variant("treatment", model="ranker 7")))
        facts = Published(one).document.facts["ranker"]
        assert facts.models == {"ranker": {"control": "ranker 6", "treatment": "ranker 7"}}

    def test_experiment__growing_traffic__moves_nobody_who_is_enrolled(self):
        small, large = Published(experiment(allocation=2000)), Published(experiment(allocation=7000))
        assert small.where("treatment") < large.where("treatment")
        assert small.assigned() < large.assigned()
        assert all(small.ask("ranker", u).value == large.ask("ranker", u).value for u in small.assigned())


class TestOverride:
    def test_override__wins_over_targeting_prerequisites_and_holdout_and_is_no_exposure(self):
        one = experiment(
            overrides=(override("qa", "treatment"), override("zoe", "control"), override("ann", "treatment")),
            targeting={"country": "DE"},
            prerequisites=(needs("banner", "on"),),
        )
        published = Published(one, holdout(size=5000), flag())
        assert [r["id"] for r in published.rules()] == ["override:0", "override:1", "holdout", "experiment"]
        assert published.rules()[1] == {
            "id": "override:1",
            "condition": {"id": {"$in": ["ann", "qa"]}},
            "force": "treatment",
        }
        answer = published.ask("ranker", "qa")
        assert (answer.value, answer.source, answer.experiment_result) == ("treatment", "force", None)
        assert published.document.facts["ranker"].variants == ("control", "treatment", "control", "")


class TestPrerequisite:
    def test_prerequisite__not_met__gives_the_control_and_never_null(self):
        published = Published(experiment(prerequisites=(needs("banner", "on"),)), flag())
        assert published.rules()[0]["parentConditions"] == [{"id": "banner", "condition": {"value": "on"}}]
        assert published.where("control") == set(UNITS)

    def test_prerequisite__another_experiments_treatment__is_needed_by_each_unit(self):
        published = Published(experiment("base"), experiment(prerequisites=(needs("base", "treatment"),)))
        assert published.assigned() == published.where("treatment", "base")

    def test_prerequisite__that_leads_back_to_itself__is_refused_and_whoever_waits_for_it_gets_the_control(self):
        published = Published(
            experiment("a", prerequisites=(needs("b", "treatment"),)),
            experiment("b", prerequisites=(needs("a", "treatment"),)),
            experiment("behind", prerequisites=(needs("a", "treatment"),)),
            experiment("alone"),
        )
        assert set(published.refused) == {"a", "b"}
        assert "lead back to itself" in published.refused["a"]
        assert published.where("control", "behind") == set(UNITS)
        assert published.assigned("alone") == set(UNITS)

    def test_prerequisite__of_a_flag__guards_every_rule(self):
        asked = flag(rules=(rule(value="on"),), prerequisites=(needs("base", "treatment"),))
        published = Published(asked, experiment("base"))
        assert published.where("on", "banner") == published.where("treatment", "base")


class TestHoldout:
    def test_holdout__is_a_hidden_feature_over_twice_its_size(self):
        published = Published(experiment(), holdout(size=500))
        feature = published.features["$holdout:quiet"]
        assert feature["defaultValue"] == "genpop"
        assert feature["rules"] == [
            SPLIT
            | {
                "key": "quiet",
                "seed": "salt of quiet",
                "variations": ["holdoutcontrol", "holdouttreatment"],
                "coverage": 0.1,
                "meta": [{"key": "holdoutcontrol"}, {"key": "holdouttreatment"}],
            }
        ]
        assert published.document.facts["$holdout:quiet"].kind == "holdout"

    def test_holdout__its_units__get_the_control_of_every_experiment_and_the_rest_is_split(self):
        published = Published(experiment(), experiment("other"), holdout(size=1000))
        held = published.where("holdoutcontrol", "$holdout:quiet")
        assert 150 < len(held) < 250
        for key in ("ranker", "other"):
            assert held <= published.where("control", key)
            assert published.assigned(key) == set(UNITS) - held
            assert {published.ask(key, unit).rule_id for unit in held} == {"holdout"}

    def test_holdout__an_experiment_that_does_not_respect_it_or_has_other_units__is_free(self):
        published = Published(
            experiment(respects_holdout=False), experiment("by-session", unit_type="session"), holdout(size=5000)
        )
        assert [r["id"] for r in published.rules()] == ["experiment"]
        assert [r["id"] for r in published.rules("by-session")] == ["experiment"]

    def test_holdout__holds_on_after_a_variant_is_shipped(self):
        published = Published(shipped(), holdout(size=1000))
        assert published.where("control") == published.where("holdoutcontrol", "$holdout:quiet")

    def test_holdout__stopped__holds_nobody(self):
        published = Published(experiment(), holdout(status="stopped"))
        assert set(published.features) == {"ranker"}
        assert published.assigned() == set(UNITS)


class TestShipped:
    def test_shipped__everyone_gets_it_also_without_a_unit(self):
        published = Published(shipped(allocation=1000))
        assert published.rules() == [{"id": "shipped", "force": "treatment"}]
        assert published.ask("ranker").value == "treatment"
        assert published.document.facts["ranker"].status == "shipped"

    def test_shipped__keeps_its_targeting(self):
        published = Published(shipped(targeting={"plan": "pro"}))
        assert published.ask("ranker", "u", plan="free").value == "control"
        assert published.ask("ranker", "u", plan="pro").value == "treatment"

    def test_holdback__is_a_part_of_the_old_control_and_nobody_leaves_the_shipped_variant(self):
        before = Published(experiment())
        after = Published(shipped(holdback_share=500), holdback())
        held_back = after.where("control")
        assert 60 < len(held_back) < 140
        assert held_back < before.where("control")
        assert before.where("treatment") < after.where("treatment")
        result = after.ask("ranker", next(iter(held_back))).experiment_result
        assert (result.key, result.in_experiment) == ("control", True)
        assert after.rules()[0]["key"] == "ranker-holdback"
        assert after.rules()[0]["seed"] == before.rules()[0]["seed"]
        assert after.rules()[0]["ranges"] == [[0.0, 0.05], [0.05, 1.0]]
        assert "ranker-holdback" not in after.features

    def test_holdback__in_a_layer__takes_nobody_who_was_in_another_experiment(self):
        slot = {"layer_salt": "layer", "layer_ranges": ((0, 3000),)}
        before = Published(experiment(**slot))
        after = Published(shipped(holdback_share=2000, **slot), holdback())
        assert after.where("control") <= before.where("control") & before.assigned()
        assert len(after.where("treatment")) > 1_700

    def test_holdback__stopped__leaves_the_shipped_variant_to_everyone(self):
        published = Published(shipped(holdback_share=500), holdback(status="stopped"))
        assert published.rules() == [{"id": "shipped", "force": "treatment"}]

    def test_shipped__to_a_share__keeps_who_had_it_and_grows_without_moving_anyone_back(self):
        before = Published(experiment(allocation=4000))
        previous = before.where("treatment")
        for share in (1000, 5000, 9000, 10_000):
            published = Published(shipped(allocation=4000, shipped_share=share, holdback_share=500), holdback())
            now = published.where("treatment")
            assert previous <= now
            previous = now
            held_back = {u for u in published.assigned() if published.ask("ranker", u).value == "control"}
            assert held_back < before.where("control")

    def test_holdback__of_a_variant_shipped_by_steps__splits_alike_at_each_step(self):
        compared: set[str] = set()
        for share in (500, 2500, 9000, 10_000):
            published = Published(shipped(shipped_share=share, holdback_share=1000), holdback())
            (split,) = (one for one in published.rules() if one["id"] == "holdback")
            held_back, treated = (end - start for start, end in split["ranges"])
            assert split["weights"] == [0.1, 0.9]
            assert held_back / (held_back + treated) == pytest.approx(0.1)
            assert compared <= published.assigned()
            compared = published.assigned()
        assert compared == set(UNITS)

    def test_shipped__the_control__needs_no_holdback(self):
        published = Published(shipped(shipped="control", holdback_share=500), holdback())
        assert published.rules() == [{"id": "shipped", "force": "control"}]

    def test_holdback__larger_than_the_control__is_refused(self):
        published = Published(shipped(holdback_share=5001), holdback())
        assert "would lose it" in published.refused["ranker"]


class TestFlag:
    def test_flag__rules__are_asked_in_order(self):
        asked = flag(
            rules=(
                rule(1, value="beta", targeting={"plan": "pro"}, name="Pros"),
                rule(2, "rollout", value="on", share=2500, salt="pepper"),
            )
        )
        published = Published(asked)
        assert published.rules("banner") == [
            {"id": "rule:1", "force": "beta", "condition": {"plan": "pro"}},
            {
                "id": "rule:2",
                "force": "on",
                "range": [0.0, 0.25],
                "seed": "pepper",
                "hashVersion": 2,
                "hashAttribute": "id",
            },
        ]
        assert published.ask("banner", "u", plan="pro").value == "beta"
        assert 400 < len(published.where("on", "banner")) < 600
        assert published.document.facts["banner"].variants == ("Pros", "rule:2")

    def test_flag__off_in_an_environment__has_no_rule_there(self):
        asked = flag(rules=(rule(value="on"),), enabled=("staging",))
        assert Published(asked, environment="staging").ask("banner").value == "on"
        assert Published(asked).features["banner"] == {"defaultValue": "off", "rules": []}
        assert Published(asked).document.facts["banner"].status == "disabled"

    def test_flag__rules_of_another_environment_or_time__are_left_out(self):
        asked = flag(rules=(rule(1, value="a", environments=("staging",)), rule(2, value="b", active=False)))
        assert Published(asked).rules("banner") == []

    def test_flag__a_number__is_always_a_float_and_a_whole_number_never(self):
        number = flag(value_type="number", default=100_000, rules=(rule(value=2),))
        whole = flag("whole", value_type="integer", default=100_000)
        published = Published(number, whole)
        assert (
            repr(published.features["banner"])
            == "{'defaultValue': 100000.0, 'rules': [{'id': 'rule:1', 'force': 2.0}]}"
        )
        assert repr(published.features["whole"]["defaultValue"]) == "100000"

    def test_flag__a_rollout_that_grows__moves_nobody_back_and_reaches_everyone_at_the_end(self):
        def reached(share):
            return Published(flag(rules=(rule(1, "rollout", value="on", share=share, salt="s"),))).where("on", "banner")

        assert reached(0) == set()
        assert reached(1000) < reached(5000) < reached(10_000) == set(UNITS)

    def test_flag__an_experiment_in_a_rule__splits_as_in_the_experiments_own_feature(self):
        asked = flag(rules=(rule(7, "experiment", experiment="ranker", targeting={"plan": "pro"}),))
        published = Published(asked, experiment(overrides=(override("qa"),)), holdout(size=1000))
        own, inside = published.rules()[-1], published.rules("banner")[-1]
        assert inside == own | {"condition": {"plan": "pro"}}
        for unit in UNITS[:300]:
            assert published.ask("banner", unit, plan="pro").value == published.ask("ranker", unit).value
        assert {published.ask("banner", unit).value for unit in UNITS[:300]} == {"off"}
        assert published.ask("banner", "qa").value == "treatment"
        assert published.document.facts["banner"].units == {"ranker": "user"}

    def test_flag__its_experiment_is_paused__gives_the_control_and_not_the_next_rule(self):
        asked = flag(rules=(rule(1, "experiment", experiment="ranker"), rule(2, value="next")))
        assert Published(asked, experiment(status="paused")).ask("banner", "u").value == "control"
        assert Published(asked, experiment(status="stopped")).ask("banner", "u").value == "next"
        assert Published(asked, experiment(status="draft")).ask("banner", "u").value == "next"
        assert Published(asked, shipped()).ask("banner", "u").value == "treatment"

    def test_flag__of_numbers__serves_the_experiments_numbers_as_floats(self):
        one = experiment(variants=(variant("a", value=1), variant("b", value=2)))
        asked = flag(value_type="number", default=0, rules=(rule(1, "experiment", experiment="ranker"),))
        assert repr(Published(asked, one).rules("banner")[0]["variations"]) == "[1.0, 2.0]"


class TestSegment:
    def test_segment__a_list__is_a_saved_group(self):
        staff = segment("staff", attribute="id", values=("ann", "ben"))
        published = Published(flag(rules=(rule(value="on", targeting={"$segment": "staff"}),)), staff)
        assert published.rules("banner")[0]["condition"] == {"id": {"$inGroup": "staff"}}
        assert published.document.saved_groups == {"staff": ["ann", "ben"]}
        assert published.ask("banner", "ann").value == "on"
        assert published.ask("banner", "zoe").value == "off"

    def test_segment__a_condition__takes_the_references_place_and_may_name_others(self):
        condition = {"plan": "pro", "$segment": "staff"}
        groups = (segment("staff", attribute="id", values=("ann",)), segment("pros", condition=condition))
        targeting = {"country": "DE", "$not": {"$segment": "pros"}}
        published = Published(flag(rules=(rule(value="on", targeting=targeting),)), *groups)
        assert published.rules("banner")[0]["condition"] == {
            "country": "DE",
            "$not": {"$and": [{"plan": "pro"}, {"id": {"$inGroup": "staff"}}]},
        }
        assert published.ask("banner", "ann", country="DE", plan="pro").value == "off"
        assert published.ask("banner", "ann", country="DE", plan="free").value == "on"

    def test_segment__nobody_refers_to_it__is_not_published(self):
        assert Published(flag(), segment("staff", attribute="id", values=("ann",))).document.saved_groups == {}

    @pytest.mark.parametrize(
        ("targeting", "words"),
        [
            ({"$not": {"$segment": "gone"}}, "'gone', which does not exist. There are: loop, pros."),
            ({"$segment": ["pros"]}, "which does not exist"),
            ({"$segment": "loop"}, "'loop' leads back to itself: loop → loop."),
            ({"id": {"$inGroup": "pros"}}, "which is a condition and no list"),
        ],
    )
    def test_segment__that_cannot_be_resolved__refuses_the_flag_alone(self, targeting, words):
        groups = (segment("loop", condition={"$segment": "loop"}), segment("pros", condition={"plan": "pro"}))
        published = Published(flag(rules=(rule(value="on", targeting=targeting),)), experiment(), *groups)
        assert words in published.refused["banner"]
        assert list(published.features) == ["ranker"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"key": "a/b"}, "letters, digits, dots"),
        ({"key": ""}, "letters, digits, dots"),
        ({"salt": ""}, "no salt"),
        ({"variants": (variant("control", weight=10_000),)}, "has 1 variants"),
        ({"variants": (variant("a"), variant("a"))}, "a key of its own"),
        ({"variants": (variant("a", weight=4000), variant("b", weight=4000))}, "sum to 10000"),
        ({"allocation": 10_001}, "allocation is 10001"),
        ({"layer_salt": "layer"}, "holds no place"),
        ({"layer_salt": "layer", "layer_ranges": ((5, 5),)}, "each is [start, end)"),
        ({"kind": "holdout", "variants": THREE}, "is a holdout"),
    ],
)  # fmt: skip
def test_document__an_experiment_that_cannot_be_served__is_refused_alone_in_words(fields, words):
    published = Published(experiment(**fields), flag())
    (refusal,) = published.refused.values()
    assert words in refusal
    assert list(published.features) == ["banner"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"key": "a b"}, "letters, digits, dots"),
        ({"default": None}, "no default value"),
        ({"rules": (rule(value=None, name="Half"),)}, "'Half' has no value"),
    ],
)
def test_document__a_flag_that_cannot_be_served__is_refused_alone_in_words(fields, words):
    published = Published(flag(**fields), experiment())
    (refusal,) = published.refused.values()
    assert words in refusal
    assert list(published.features) == ["ranker"]


def test_document__the_same_key_twice__serves_the_first():
    published = Published(flag("twice"), experiment("twice"))
    assert published.features["twice"]["defaultValue"] == "off"
    assert "there twice" in published.refused["twice"]
