"""The snapshot as the doors read it: what is compiled again, what is kept, and what SDKs fetch."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment.engine.program import compile_features
from assignment.programs import recompiled
from assignment.snapshot import seal
from assignment.table import Environment, Table
from experiments.domain import environments
from experiments.domain.keys import digest
from tests.assignment import rows
from tests.assignment.rows import Published, experiment, flag, holdout, needs, override
from tests.assignment.served import KEY, content, grant, project
from tests.builders import T0

PRODUCTION = environments.Environment.PRODUCTION


def laid_out(*made, previous=None):
    return Environment(project(*made).environments["production"], previous)


def kept(before, after):
    return {key for key, compiled in after.program.flags.items() if before.program.flags.get(key) is compiled}


class TestRecompiling:
    def test_environment__one_experiment_changes__the_others_are_kept(self):
        before = laid_out(experiment("a"), experiment("b"), experiment("c"))
        after = laid_out(experiment("a"), experiment("b", allocation=5000), experiment("d"), previous=before)
        assert kept(before, after) == {"a"}
        assert {key for key in after.flags if before.flags.get(key) is after.flags[key]} == {"a"}
        assert set(after.flags) == {"a", "b", "d"}

    def test_environment__a_parent_changes_comes_or_goes__its_children_are_compiled_again(self):
        children = experiment("child", prerequisites=(needs("parent", "treatment"),)), experiment("alone")
        parents = [(), (experiment("parent"),), (experiment("parent", salt="another"),), ()]
        before = laid_out(*children)
        for parent in parents[1:]:
            after = laid_out(*children, *parent, previous=before)
            assert kept(before, after) == {"alone"}
            fresh = laid_out(*children, *parent)
            for unit in rows.UNITS[:200]:
                assert after.flags["child"].compiled.choose({"id": unit}) == fresh.flags["child"].compiled.choose(
                    {"id": unit}
                )
            before = after

    def test_environment__a_holdout_begins__every_experiment_that_respects_it_is_compiled_again(self):
        before = laid_out(experiment("a"), experiment("free", respects_holdout=False))
        after = laid_out(experiment("a"), experiment("free", respects_holdout=False), holdout(), previous=before)
        assert kept(before, after) == {"free"}

    def test_environment__a_segments_list_changes__who_is_in_it_changes(self):
        asked = flag(rules=(rows.rule(value="on", targeting={"$segment": "staff"}),))

        def staff(*units):
            return rows.segment("staff", attribute="id", values=units)

        before = laid_out(asked, staff("ann"))
        after = laid_out(asked, staff("ben"), previous=before)
        assert [before.program.evaluate("banner", {"id": unit}).value for unit in ("ann", "ben")] == ["on", "off"]
        assert [after.program.evaluate("banner", {"id": unit}).value for unit in ("ann", "ben")] == ["off", "on"]

    def test_environment__only_what_is_said_beside_the_value_changes__is_said_anew(self):
        def of(model):
            return experiment(variants=(rows.variant("control", model=model), rows.variant("treatment", model=model)))

        before = laid_out(of("ranker 1"))
        after = laid_out(of("ranker 2"), previous=before)
        assert kept(before, after) == {"ranker"}
        assert b'"modelVersion":"ranker 2"' in after.flags["ranker"].encoded({"id": "u"}, {})

    def test_environment__1_becomes_a_truth_or_a_fraction__is_served_as_that(self):
        before = laid_out(flag(value_type="object", default=1))
        for value, written in ((True, b"true"), (1.0, b"1.0")):
            after = laid_out(flag(value_type="object", default=value), previous=before)
            assert b'"value":' + written in after.flags["banner"].encoded({}, {})

    @given(st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=6), st.data())
    def test_recompiled__any_changes__answers_as_if_all_were_compiled(self, changes, data):
        parents = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=2, unique=True)

        def feature():
            rules = [
                {
                    "parentConditions": [{"id": key, "condition": {"value": 1}} for key in data.draw(parents)],
                    "variations": [0, 1],
                    "key": "e",
                    "seed": data.draw(st.sampled_from(["x", "y"])),
                }
            ]
            return {"defaultValue": 2, "rules": rules}

        features = {key: feature() for key in "abc"}
        program = compile_features(features)
        for change in changes:
            features = {**features, change: feature()} if change not in features else features | {change: feature()}
            if data.draw(st.booleans()):
                features = {key: one for key, one in features.items() if key != change}
            program = recompiled(program, features, {}, [change])
            whole = compile_features(features)
            assert program.flags.keys() == whole.flags.keys()
            for key in features:
                for unit in ("1", "2", "3"):
                    assert program.evaluate(key, {"id": unit}) == whole.evaluate(key, {"id": unit})


class TestPayload:
    def test_payload__is_what_the_sdks_fetch(self):
        made = experiment(), flag(rules=(rows.rule(value="on", targeting={"$segment": "staff"}),))
        staff = rows.segment("staff", attribute="id", values=("ann",))
        environment = laid_out(*made, staff)
        published = Published(*made, staff)
        assert json.loads(environment.payload) == {
            "status": 200,
            "dateUpdated": "2026-03-02T09:00:00.000Z",
            "features": published.features,
            "savedGroups": {"staff": ["ann"]},
        }

    def test_payload__a_whole_float__stays_a_float(self):
        assert b'"defaultValue":2.0' in laid_out(flag(value_type="number", default=2)).payload

    def test_payload__its_tag_follows_every_byte(self):
        one, same, other = laid_out(experiment()), laid_out(experiment()), laid_out(experiment(salt="other"))
        assert one.payload_etag == same.payload_etag != other.payload_etag
        assert one.payload_etag.startswith('"')


class TestTable:
    def table(self, *projects, previous=None, **keys):
        granted = {digest(KEY): grant("evaluate", **keys)}
        return Table(seal(content(*projects, keys=granted), T0), previous)

    def test_table__an_unchanged_environment__is_the_same_object(self):
        before = self.table(project(experiment("a")), project(experiment("b"), id=2))
        after = self.table(project(experiment("a")), project(experiment("c"), id=2), previous=before)
        assert after.environment(1, PRODUCTION) is before.environment(1, PRODUCTION)
        assert after.environment(2, PRODUCTION) is not before.environment(2, PRODUCTION)

    def test_table__an_environment_that_no_key_opens__is_laid_out_when_it_is_asked_for(self):
        table = self.table(project(experiment("next", status="draft")))
        staging = table.environment(1, environments.Environment.STAGING)
        assert list(staging.flags) == ["next"]
        assert table.environment(1, environments.Environment.STAGING) is staging

    @pytest.mark.parametrize(("project_id", "name"), [(2, "production"), (1, "moon")])
    def test_table__what_is_not_there__is_none(self, project_id, name):
        assert self.table(project(experiment())).environment(project_id, name) is None

    def test_table__units__are_those_that_any_flag_hashes(self):
        table = self.table(project(experiment("a", unit_type="session"), experiment("b", overrides=(override("u"),))))
        assert table.environment(1, PRODUCTION).units == ("id", "session_id")
