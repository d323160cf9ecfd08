"""Questions as apps ask them, drawn from a seed: conditions, features, experiments, sticky documents and pages.

Values keep to their attribute's type, for clients differ in what they do with others (docs/assignment.md lists how).
"""

from random import Random
from typing import Any

Json = dict[str, Any]

TEXTS = ["", "a", "A", "b", "US", "us", "hello world", "ä", "Ä", "😀", "\uffff", "a\nb", "8", "10", "a/b"]
NUMBERS = [0, 1, -1, 2, 8, 10, 1.5, 1e21, 1e-7]
VERSIONS = ["1.2.0", "1.10.0", "1.2", "0", "v1.2.0-beta.2", "1.2.0-beta.11", "1.2.0-rc.1", "1.2.0+b7", "1-2-0"]
VERSIONS += ["99999.0.0", "100000.0.0", "1.2.3.4", "", "v", "1.2.0-Beta", "1.2.0-é"]
PATTERNS = ["^a", "b$", "[", "A", "^h.*d$", "ä", "^$", r"\.", "^[a-z]$", "[^a]", r"\bw", "^[A-Z]{2}$", r"\S", "(?=a)a"]
PATTERNS += ["(?!a)a", r"\u0061", r"\x61", "a/b", r"a\/b", r"[\d\w]", r"\p{L}", r"\A", "(?<n>a)", "[]", "[^]", "a**"]
KINDS = ["string", "number", "boolean", "array", "object", "null", "undefined"]
SAVED: Json = {
    "texts": TEXTS[:5],
    "numbers": [1, 2, 10],
    "list": {"type": "list", "attributeKey": "text", "values": ["b", "US"]},
    "condition": {"type": "condition", "condition": {"text": "a", "flag": True}},
    "loop": {"type": "condition", "condition": {"$or": [{"$savedGroup": {"id": "loop"}}, {"number": 1}]}},
    "broken": {"type": "list", "values": "x"},
}
BANDITS: Json = {
    "bandit": {
        "banditVersion": 3,
        "contexts": [
            {"leafId": 1, "condition": {"plan": "pro"}, "weights": [0.5, 0.5]},
            {"leafId": 2, "condition": {"age": {"$gt": 20}}, "weights": [1, 0]},
        ],
    }
}


class Conditions:
    """Draws targeting conditions and the attributes that they are about."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - the same questions in every run, and no secrets

    def one_of(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def some(self, values: list[Any], most: int = 3) -> list[Any]:
        return self.random.sample(values, self.random.randrange(most + 1))

    def attributes(self) -> Json:
        draw = self.random.choice
        return {
            "text": draw(TEXTS), "number": draw(NUMBERS), "flag": draw([True, False]), "version": draw(VERSIONS),
            "texts": self.some([*TEXTS, None]), "numbers": self.some(NUMBERS), "nothing": None,
            "rows": [{"text": draw(TEXTS), "number": draw(NUMBERS)} for _ in range(self.random.randrange(3))],
            "row": {"text": draw(TEXTS), "deep": {"number": draw(NUMBERS)}},
        }  # fmt: skip

    def of_text(self) -> Any:
        text = self.random.choice(TEXTS)
        return self.one_of(
            text,
            {self.one_of("$eq", "$ne", "$lt", "$lte", "$gt", "$gte"): text},
            {self.one_of("$in", "$nin", "$ini", "$nini"): self.some(TEXTS)},
            {self.one_of("$regex", "$regexi"): self.random.choice(PATTERNS)},
            {self.one_of("$inGroup", "$notInGroup"): self.one_of("texts", "list", "condition", "broken", "none")},
            {"$exists": self.one_of(True, False)},
        )

    def of_number(self) -> Any:
        number = self.random.choice(NUMBERS)
        return self.one_of(
            number,
            {self.one_of("$eq", "$ne", "$lt", "$lte", "$gt", "$gte"): number},
            {self.one_of("$in", "$nin"): self.some(NUMBERS)},
            {self.one_of("$inGroup", "$notInGroup"): self.one_of("numbers", "none")},
        )

    def of_list(self, values: list[Any], element: Any) -> Any:
        element = element if isinstance(element, dict) else {"$eq": element}
        return self.one_of(
            {"$elemMatch": element},
            {"$size": self.one_of(0, 1, 2, {"$gt": 1}, {"$lte": 2})},
            {self.one_of("$all", "$alli", "$in", "$nin", "$ini", "$nini"): self.some(values)},
        )

    def of_nothing(self) -> Any:
        return self.one_of(
            None, "x", 1, False, {"$exists": self.one_of(True, False)}, {"$ne": 1}, {"$eq": None}, {"$in": ["a", None]},
            {"$nin": ["a"]}, {"$not": {"$eq": 1}}, {"$all": []}, {"$size": 0}, {"$elemMatch": {"$eq": 1}},
            {"$notInGroup": "none"}, {"$inGroup": "none"},
        )  # fmt: skip

    def leaf(self) -> Json:
        wanted = {
            "text": self.of_text(), "row.text": self.of_text(), "number": self.of_number(),
            "row.deep.number": self.of_number(), "texts.length": self.of_number(),
            "flag": self.one_of(True, False, {"$eq": True}, {"$ne": True}, {"$in": [True]}),
            "version": {
                self.one_of("$veq", "$vne", "$vlt", "$vlte", "$vgt", "$vgte"): self.random.choice(VERSIONS)
            },
            "texts": self.of_list(TEXTS, self.of_text()), "numbers": self.of_list(NUMBERS, self.of_number()),
            "rows": {"$elemMatch": self.one_of({"text": self.of_text()}, {"number": self.of_number()}, {})},
            "row": self.one_of({"text": "a", "deep": {"number": 1}}, {"$exists": True}),
            "missing": self.of_nothing(), "nothing": self.of_nothing(),
        }  # fmt: skip
        path = self.random.choice(list(wanted))
        value = self.one_of(*[wanted[path]] * 8, {"$type": self.random.choice(KINDS)})
        return {path: {"$not": value} if isinstance(value, dict) and self.random.random() < 0.15 else value}

    def condition(self, depth: int = 0) -> Json:
        kind = self.random.random()
        if kind < 0.7 or depth > 2:
            return self.leaf() | (self.leaf() if self.random.random() < 0.2 else {})
        if kind < 0.77:
            own = self.one_of({}, {}, {"attributeKey": "text"}, {"attributeKey": "texts"})
            return {"$savedGroup": {"id": self.one_of(*SAVED, "none"), **own}}
        if kind < 0.85:
            return {"$not": self.condition(depth + 1)}
        several = [self.condition(depth + 1) for _ in range(self.random.randrange(4))]
        return {self.one_of("$or", "$and", "$nor"): several}


VARIATIONS = [["x", "y", "z"], [True, False, None], [1, 0, 2], [{"k": 1}, {"k": 2}, {"k": 3}]]
PATHS = ["", "/", "/shop", "/shop/", "/Shop/item", "/a//b", "/a%20b", "/é", "/a/../b", "/a/./b", "/(1)", "/search"]
QUERIES = ["", "?a=1", "?a=1&b=2", "?a=", "?a", "?A=1", "?a=x%20y", "?a=x+y", "?b=2&a=1", "?a=1&a=2", "?a=é"]
FRAGMENTS = ["", "", "#top", "#Top", "#/route", "#é"]
HOSTS = [
    "www.example.com",
    "Shop.Example.com",
    "localhost:8080",
    "example.com:8080",
    "example.com:443",
    "10.0.0.1:3000",
]
GLOBS = ["*", "/*", "*/item", "*.example.com/*", "https://www.example.com/*", "www.example.com", "/", "/shop*", "?a=1"]
GLOBS += ["#top", "shop", "/shop?a=*", "https://*.example.com/shop", "/shop/#top", "example.*/shop", "*shop*"]
REGEXES = ["^https://www", r"example\.com", "^/shop", "/shop$", "^/shop/?$", r"\?a=1", "#top$", "^/$", "[", "Shop"]


class Evaluations(Conditions):
    """Draws features, experiments, sticky documents and pages; ``maybe`` adds a field now and then."""

    def maybe(self, chance: float, name: str, *choices: Any) -> Json:
        drawn = self.one_of(*choices)
        return {name: drawn} if self.random.random() < chance else {}

    def ranges(self, count: int) -> list[list[float]]:
        ends = sorted(round(self.random.random(), 3) for _ in range(2 * count))
        return [ends[2 * i : 2 * i + 2] for i in range(count)]

    def user(self) -> Json:
        return {
            **self.maybe(0.9, "id", "user-1", "user-2", "zoë", "😀", self.random.randrange(500), "", 0, 1.5),
            **self.maybe(0.7, "anon", "a1", "a2", self.random.randrange(50)),
            **self.maybe(0.8, "plan", "pro", "free"),
            **self.maybe(0.5, "age", 18, 25, 40),
        }

    def rule_condition(self) -> Json:
        return self.one_of(
            {"plan": "pro"}, {"plan": {"$ne": "pro"}}, {"id": {"$inGroup": "ids"}}, {"$savedGroup": {"id": "pros"}},
            {"$or": [{"plan": "pro"}, {"anon": {"$exists": False}}]}, {},
        )  # fmt: skip

    def parents(self, keys: list[str]) -> list[Json]:
        wanted = [{"value": "x"}, {"value": {"$exists": True}}, {"value": {"$ne": "x"}}, {"value": {"$in": ["y", 1]}}]
        return [
            {"id": self.one_of(*keys), "condition": self.one_of(*wanted, {}), **self.maybe(0.5, "gate", True)}
            for _ in range(self.one_of(1, 1, 2))
        ]

    def hashing(self) -> Json:
        layer = {"seed": self.one_of("s", "t"), "ranges": self.ranges(2)}
        return {
            **self.maybe(0.3, "condition", self.rule_condition()),
            **self.maybe(
                0.2, "filters", [{**layer, **self.maybe(0.5, "attribute", "anon"), **self.maybe(0.5, "hashVersion", 1)}]
            ),
            **self.maybe(0.5, "coverage", 0, 0.01, 0.3334, 0.5, 0.9, 1, 1.5, -1),
            **self.maybe(0.5, "hashVersion", 1, 2, 2, 3),
            **self.maybe(0.4, "seed", "s", "söd"),
            **self.maybe(0.3, "hashAttribute", "anon", "id", "nope"),
            **self.maybe(0.3, "fallbackAttribute", "anon", "id"),
            **self.maybe(0.2, "disableStickyBucketing", True),
        }

    def experiment(self) -> Json:
        count = self.one_of(1, 2, 2, 2, 3)
        keys = ["v0", "v1", "v2"][:count]
        metas = [
            {"key": key, **self.maybe(0.3, "name", "N" + key), **self.maybe(0.15, "passthrough", True)} for key in keys
        ]
        weights = [[1 / count] * count, [1, 0, 0][:count], [0.2, 0.3, 0.5][:count], [0.9] * count, [0.5]]
        return {
            "variations": self.one_of(*VARIATIONS)[:count],
            **self.hashing(),
            **self.maybe(0.5, "key", "e1", "e2"),
            **self.maybe(0.4, "weights", *weights),
            **self.maybe(0.2, "ranges", self.ranges(count)),
            **self.maybe(0.2, "namespace", ["n", *self.ranges(1)[0]]),
            **self.maybe(0.6, "meta", metas),
            **self.maybe(0.3, "name", "named"),
            **self.maybe(0.3, "bucketVersion", 0, 1, 2),
            **self.maybe(0.2, "minBucketVersion", 0, 1, 2),
        }

    def rule(self, parents: list[str]) -> Json:
        before = self.maybe(0.25, "parentConditions", self.parents(parents)) if parents else {}
        if self.random.random() < 0.35:
            span = self.maybe(0.2, "range", *self.ranges(1))
            return {**before, **self.hashing(), **span, "force": self.one_of("x", "y", 1, False, None, {"k": 1})}
        drawn = {**before, **self.maybe(0.4, "id", "r1", "r2"), **self.experiment()}
        if self.random.random() < 0.15:
            rest = {name: drawn[name] for name in drawn.keys() - {"variations", "weights", "ranges", "meta"}}
            reference = self.one_of("bandit", "none")
            return {**rest, "contextualVariations": ["x", "y"], "contextualBanditRef": reference}
        return drawn

    def features(self) -> Json:
        behind = ["f"] if self.random.random() < 0.3 else []
        kinds = {"f": ["p", "q", "unknown"], "p": ["q", *behind], "q": behind}
        return {
            key: {"defaultValue": self.one_of("x", 1, None), "rules": [self.rule(parents) for _ in range(count)]}
            for (key, parents), count in zip(kinds.items(), (3, 2, 1), strict=True)
        }

    def context(self) -> Json:
        pros = {"type": "condition", "condition": {"plan": "pro"}}
        return {
            "attributes": self.user(), "features": self.features(), "contextualBandits": BANDITS,
            "savedGroups": {"ids": ["user-1", 3, "zoë"], "pros": pros},
            **self.maybe(0.15, "forcedVariations", {"e1": 1}, {"e2": 0}, {"f": 5}, {"e1": -1}),
            **self.maybe(0.15, "url", "http://x.com/?e1=1", "http://x.com/?e2=0&a=b", "http://x.com/?f=1#k"),
            **self.maybe(0.05, "qaMode", True), **self.maybe(0.05, "enabled", False),
        }  # fmt: skip

    def in_the_app(self) -> Json:
        target = {"type": "simple", "include": True, "pattern": self.one_of("*", "http://x.com/", "/other")}
        return {
            "key": "e1", **self.experiment(),
            **self.maybe(0.15, "active", True, False), **self.maybe(0.15, "status", "running", "draft", "stopped"),
            **self.maybe(0.1, "force", 0, 1, 5, -1), **self.maybe(0.15, "urlPatterns", [target]),
            **self.maybe(0.2, "parentConditions", self.parents(["p", "q", "unknown"])),
        }  # fmt: skip

    def kept_context(self) -> Json:
        """Draw a context whose experiments follow a unit from one attribute to another."""
        rule = {
            "variations": ["x", "y", "z"], "meta": [{"key": key} for key in ("v0", "v1", "v2")],
            "key": self.one_of("e1", "e2"), "hashVersion": 2, "bucketVersion": self.one_of(0, 1, 2),
            **self.maybe(0.7, "fallbackAttribute", "anon"), **self.maybe(0.2, "hashAttribute", "anon"),
            **self.maybe(0.3, "minBucketVersion", 1, 2), **self.maybe(0.1, "disableStickyBucketing", True),
            **self.maybe(0.5, "coverage", 0, 0.5), **self.maybe(0.3, "condition", self.rule_condition()),
        }  # fmt: skip
        user = {**self.user(), **self.maybe(0.8, "id", "user-1", "zoë"), **self.maybe(0.8, "anon", "a1", "a2")}
        return {**self.context(), "attributes": user, "features": {"f": {"defaultValue": "d", "rules": [rule]}}}

    def documents(self) -> list[Json]:
        units = self.some([("id", "user-1"), ("id", "zoë"), ("anon", "a1"), ("anon", "a2")], 4)
        return [
            {
                "attributeName": name,
                "attributeValue": value,
                "assignments": {
                    f"{self.one_of('e1', 'e2', 'f')}__{self.one_of(0, 1, 2)}": self.one_of("v0", "v1", "v2", "gone")
                    for _ in range(self.one_of(1, 2, 3))
                },
            }
            for name, value in units
        ]

    def page(self) -> str:
        parts = (self.one_of(*choices) for choices in (["http://", "https://"], HOSTS, PATHS, QUERIES, FRAGMENTS))
        return self.one_of(*["".join(parts)] * 9, self.one_of("", "/shop", "shop?a=1", "//example.com/x"))

    def target(self, page: str) -> Json:
        rest = page.partition("://")[2] or page
        path = "/" + rest.partition("/")[2]
        bare = path.partition("#")[0].partition("?")[0]
        pattern = self.one_of(page, path, bare, bare + "*", self.one_of(*GLOBS), self.one_of(*GLOBS))
        simple = {"type": "simple", "pattern": pattern}
        found = self.one_of(simple, simple, simple, {"type": "regex", "pattern": self.one_of(*REGEXES)})
        return {**found, "include": self.one_of(True, True, False)}
