"""Questions in which nothing keeps to a type: what the two open clients disagree about, and what both decide."""

from typing import Any

from tests.clients.questions import KINDS, NUMBERS, PATTERNS, SAVED, TEXTS, VERSIONS, Evaluations, Json

SCALARS = [*TEXTS, *NUMBERS, *VERSIONS, True, False, None, "1", "0", "true", "null", "-1", "1.5", " 1", "1e3", "NaN"]
COMPARED = ["$eq", "$ne", "$lt", "$lte", "$gt", "$gte", "$veq", "$vne", "$vgt", "$vgte", "$vlt", "$vlte", "$unknown"]
LISTED = ["$in", "$nin", "$ini", "$nini"]
PATHS = ["a", "b", "c", "d", "a.b", "a.a", "b.0", "c.length", "a.b.a", "0", "missing", ""]
DEEPEST = 2


class Untyped(Evaluations):
    """Draws conditions, attributes and features of any JSON at all."""

    def scalar(self) -> Any:
        return self.one_of(*SCALARS)

    def value(self, depth: int = 0) -> Any:
        kind = self.random.random()
        if kind < 0.7 or depth > DEEPEST:
            return self.scalar()
        if kind < 0.88:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return {key: self.value(depth + 1) for key in self.some(["a", "b", "0", "length", "$x"], 2)}

    def attributes(self) -> Json:
        return {name: self.value() for name in self.some(["a", "b", "c", "d", "0"], 5)}

    def operators(self, depth: int = 0) -> Json:
        scalars = [self.scalar() for _ in range(self.random.randrange(4))]
        inner = self.operators(depth + 1) if depth < DEEPEST else {"$eq": 1}
        leaf = self.leaf(depth + 1) if depth < DEEPEST else {"a": 1}
        operator, operand = self.one_of(
            *[(self.one_of(*COMPARED), self.one_of(*SCALARS, self.value()))] * 4,
            (self.one_of(*LISTED), self.one_of(scalars, scalars, [self.value()], self.scalar())),
            (self.one_of("$all", "$alli"), self.one_of(scalars, [inner], self.scalar())),
            (self.one_of("$inGroup", "$notInGroup"), self.one_of(*SAVED, "none", 5)),
            ("$elemMatch", self.one_of(inner, leaf, {"$or": [leaf]})),
            ("$size", self.one_of(0, 1, 2, inner, "1", None)),
            ("$exists", self.one_of(True, False, 0, 1, "", None, "x")),
            ("$type", self.one_of(*KINDS)),
            (self.one_of("$regex", "$regexi"), self.one_of(*PATTERNS, *SCALARS)),
            ("$not", self.one_of(inner, self.scalar())),
        )
        return {operator: operand}

    def leaf(self, depth: int = 0) -> Json:
        operators = self.operators(depth)
        return {self.one_of(*PATHS): self.one_of(operators, operators, operators, self.value(), self.scalar())}

    def condition(self, depth: int = 0) -> Json:
        if self.random.random() < 0.05:
            own = self.one_of({}, {"attributeKey": "a"}, {"attributeKey": 5}, {"attributeKey": None})
            return {"$savedGroup": self.one_of({"id": self.one_of(*SAVED, "none"), **own}, None, "texts", [])}
        return super().condition(depth)

    def user(self) -> Json:
        odd = [True, False, 1e21, 1e-7, -3, "0", "false"]
        # Lists and objects name no unit: there the engine alone goes on to the fallback, as docs/assignment.md says.
        kept = {name: value for name, value in self.attributes().items() if not isinstance(value, list | dict)}
        return {**kept, **super().user(), **self.maybe(0.3, "id", *odd), **self.maybe(0.3, "anon", *odd)}

    def rule_condition(self) -> Json:
        return self.one_of(self.condition(), super().rule_condition())

    def hashing(self) -> Json:
        return {
            **super().hashing(),
            **self.maybe(0.1, "hashAttribute", "", "a", "b"),
            **self.maybe(0.1, "seed", "", "zoë😀"),
        }
