"""Feature documents of every kind for property tests: ordinary ones, unusual ones, and hostile ones."""

from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]

names = st.sampled_from(["id", "plan", "age", "tags", "device", "app.version", "tags.length", "tags.0", "who.country"])
texts = st.sampled_from(["", "a", "pro", "Pro", "zoë", "10", "9", "1.2.0", "1.10.0-rc.1", "😀", "x" * 40])
numbers = st.sampled_from([0, 1, -1, 2, 18, 30, 1.0, 1.5, float("nan"), float("inf"), 10**400])
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2), max_leaves=5
)
units = st.one_of(
    st.integers(min_value=1, max_value=10**6).map(str), st.integers(-5, 10**6), st.text(max_size=8), scalars
)
attributes = st.fixed_dictionaries(
    {},
    optional={
        "id": units,
        "device": units,
        "plan": scalars,
        "age": numbers | texts,
        "tags": st.lists(scalars | st.fixed_dictionaries({"k": scalars}), max_size=4) | scalars,
        "app": st.fixed_dictionaries({}, optional={"version": texts | numbers}),
        "who": json_values,
    },
)

GROUPS: Document = {
    "vips": ["a", "7", 1, True],
    "typed": {"type": "list", "attributeKey": "plan", "values": ["pro", 10, None]},
    "adults": {"type": "condition", "condition": {"age": {"$gte": 18}}},
    "loop": {"type": "condition", "condition": {"$or": [{"$savedGroup": {"id": "pool"}}, {"plan": "pro"}]}},
    "pool": {"type": "condition", "condition": {"$not": {"$savedGroup": {"id": "loop"}}}},
    "newer": {"type": "model"},
    "broken": 3,
}
group_ids = st.sampled_from([*GROUPS, "missing"])


def operator(names: list[str], operands: st.SearchStrategy[Any]) -> st.SearchStrategy[Document]:
    return st.builds(lambda name, operand: {name: operand}, st.sampled_from(names), operands)


simple = st.one_of(
    operator(["$eq", "$ne", "$exists", "$lt", "$lte", "$gt", "$gte", "$newer", "$or"], scalars),
    operator(["$veq", "$vne", "$vlt", "$vlte", "$vgt", "$vgte"], texts),
    operator(["$in", "$nin", "$ini", "$nini", "$all", "$alli"], st.lists(json_values, max_size=4) | texts),
    operator(["$inGroup", "$notInGroup"], group_ids | scalars),
    operator(
        ["$regex", "$regexi", "$notRegex", "$notRegexi"], st.sampled_from(["^a", "o$", "[", "1|9", "P", "a" * 501])
    ),
    operator(["$size"], st.sampled_from([0, 1, 2, {"$gt": 1}])),
    operator(["$type"], st.sampled_from(["string", "number", "boolean", "array", "object", "null", "undefined"])),
)
of_value = st.one_of(
    simple,
    operator(["$not", "$elemMatch"], simple),
    operator(["$elemMatch"], st.fixed_dictionaries({"k": simple | scalars})),
    operator(["$all", "$alli"], st.lists(simple | scalars, max_size=2)),
    st.builds(lambda one, other: one | other, simple, simple),
)
leaves = st.dictionaries(names, of_value | json_values, max_size=2) | st.builds(
    lambda group, own: {"$savedGroup": {"id": group} | own},
    group_ids,
    st.sampled_from([{}, {"attributeKey": "id"}, {"attributeKey": 1}]),
)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda one: {"$not": one}, inner),
        st.builds(
            lambda name, many: {name: many}, st.sampled_from(["$or", "$and", "$nor"]), st.lists(inner, max_size=3)
        ),
    ),
    max_leaves=6,
)

shares = st.sampled_from([0, 0.0001, 0.1, 0.3333, 0.3334, 0.5, 0.7, 0.9999, 1, 1.5, -1])
any_share = shares | st.floats(0, 1) | st.sampled_from([float("nan"), float("inf"), "0.5", None, True, 10**400])
bounds = st.tuples(any_share, any_share).map(list)
attribute_names = st.sampled_from(["id", "device", "missing", "", 3])
filters = st.lists(
    st.fixed_dictionaries(
        {"seed": st.sampled_from(["layer", "other", ""]), "ranges": st.lists(bounds, max_size=3)},
        optional={"attribute": attribute_names, "hashVersion": st.sampled_from([1, 2, 3, 0, None])},
    ),
    max_size=2,
)
parent_conditions = st.lists(
    st.fixed_dictionaries(
        {"id": st.sampled_from(["f", "p", "q", "unknown"])},
        optional={
            "condition": st.builds(lambda wanted: {"value": wanted}, of_value | scalars) | conditions | st.none(),
            "gate": st.booleans(),
        },
    ),
    max_size=2,
)
metas = st.lists(
    st.fixed_dictionaries(
        {}, optional={"key": st.sampled_from(["c", "t", ""]), "name": texts, "passthrough": st.booleans()}
    ),
    max_size=4,
)
common = {
    "id": st.sampled_from(["override:1", "holdout", "prerequisite", "experiment", "shipped", ""]),
    "condition": conditions | scalars,
    "parentConditions": parent_conditions,
    "filters": filters,
    "coverage": any_share,
    "seed": st.sampled_from(["s", "söd", "", "0123456789abcdef"]),
    "hashVersion": st.sampled_from([1, 2, 2.0, 0, 3, "2", True, None]),
    "hashAttribute": attribute_names,
    "fallbackAttribute": st.sampled_from(["device", "id"]),
}
experiment_rules = st.fixed_dictionaries(
    {"variations": st.lists(scalars, min_size=2, max_size=4)},
    optional={
        **common,
        "key": st.sampled_from(["k", "other", ""]),
        "weights": st.lists(any_share, min_size=1, max_size=4),
        "ranges": st.lists(bounds, max_size=4),
        "meta": metas,
        "namespace": st.tuples(st.sampled_from(["n", "m"]), any_share, any_share).map(list),
        "minBucketVersion": st.sampled_from([0, 1]),
        "contextualBanditRef": st.sampled_from(["bandit", "none"]),
        "phase": st.just("0"),
    },
)
force_rules = st.fixed_dictionaries({"force": json_values}, optional={**common, "range": bounds})
rules = st.one_of(experiment_rules, force_rules, json_values)
features = st.fixed_dictionaries({}, optional={"defaultValue": json_values, "rules": st.lists(rules, max_size=4)})
documents = st.fixed_dictionaries({"f": features}, optional={"p": features, "q": features})
BANDITS: Document = {
    "bandit": {"banditVersion": 1, "contexts": [{"leafId": 4, "condition": {"plan": "pro"}, "weights": [0.1, 0.9]}]}
}

# What people publish: most rules reach somebody, and every kind of end is common.
people = st.fixed_dictionaries(
    {"id": st.integers(1, 400).map(lambda number: f"user-{number}"), "plan": st.sampled_from(["pro", "Pro", "free"])},
    optional={"age": st.integers(10, 40), "tags": st.lists(texts, max_size=3), "device": units},
)
ordinary_conditions = st.one_of(
    st.sampled_from([{"plan": "pro"}, {"plan": {"$ne": "pro"}}, {"age": {"$gte": 18}}, {"plan": {"$regexi": "^PRO$"}}]),
    st.sampled_from([{"$savedGroup": {"id": "adults"}}, {"plan": {"$inGroup": "typed"}}, {"id": {"$in": ["user-7"]}}]),
    st.sampled_from(
        [{"tags": {"$elemMatch": {"$eq": "a"}}}, {"$not": {"tags": {"$all": ["a"]}}}, {"id": {"$ini": ["USER-9"]}}]
    ),
    conditions,
)
ordinary_parents = st.lists(
    st.builds(
        lambda key, wanted, gate: {"id": key, "condition": {"value": wanted}, "gate": gate},
        st.sampled_from(["p", "q"]),
        st.sampled_from(["x", "y", {"$ne": "x"}, {"$regex": "x|y"}, {"$exists": True}]),
        st.booleans(),
    ),
    min_size=1,
    max_size=2,
)
ordinary_layers = st.builds(
    lambda start, end, version: [{"seed": "layer", "ranges": [sorted([start, end])], "hashVersion": version}],
    st.floats(0, 0.5),
    st.floats(0.5, 1),
    st.sampled_from([1, 2]),
)


def ordinary_rules(*, parents: bool) -> st.SearchStrategy[Document]:
    """Draw rules of experiments, forced values and rollouts; ``parents`` says whether they may ask other flags."""
    maybe: dict[str, st.SearchStrategy[Any]] = {"condition": ordinary_conditions, "filters": ordinary_layers}
    if parents:
        maybe["parentConditions"] = ordinary_parents
    named = {"id": common["id"], "hashVersion": st.sampled_from([1, 2]), "seed": st.sampled_from(["s", "söd", "t"])}
    drawn = st.fixed_dictionaries(
        {**named, "variations": st.sampled_from([["x", "y"], ["x", "y", "z"]])},
        optional={
            **maybe,
            "coverage": st.floats(0, 1),
            "weights": st.sampled_from([[0.2, 0.8], [0.3333, 0.3333, 0.3334], [0.0, 1.0]]),
            "ranges": st.sampled_from([[[0, 0.1], [0.1, 1]], [[0.5, 0.6], [0.2, 0.7], [0, 1]]]),
            "meta": st.sampled_from([[{"key": "c"}, {"key": "t", "name": "T"}], [{}, {"passthrough": True}]]),
            "namespace": st.tuples(st.just("n"), st.floats(0, 0.5), st.floats(0.5, 1)).map(list),
        },
    )
    forced = st.fixed_dictionaries(
        {**named, "force": st.sampled_from(["x", "y", None, 3])}, optional={**maybe, "coverage": st.floats(0, 1)}
    )
    return drawn | forced


def ordinary_features(*, parents: bool) -> st.SearchStrategy[Document]:
    """Draw a feature with one to three rules."""
    several = st.lists(ordinary_rules(parents=parents), min_size=1, max_size=3)
    return st.fixed_dictionaries({"defaultValue": st.just("d"), "rules": several})


ordinary_documents = st.fixed_dictionaries(
    {
        "f": ordinary_features(parents=True),
        "p": ordinary_features(parents=False),
        "q": ordinary_features(parents=False),
    }
)
