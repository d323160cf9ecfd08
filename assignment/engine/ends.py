"""The terminals of one feature, found rule by rule."""

from collections.abc import Mapping
from typing import Any

from assignment.engine.hashing import BUCKETS
from assignment.engine.placing import Hashing
from assignment.engine.sdk.results import Source
from assignment.engine.sdk.values import array, mapping, text
from assignment.engine.terminals import Outcome, Terminal, forced_outcome

Rule = Mapping[str, Any]


class Ends:
    """The terminals of a feature as they are found, and where those of each rule begin."""

    def __init__(self, feature: Mapping[str, Any]) -> None:
        self._default = feature.get("defaultValue")
        self.terminals: list[Terminal] = []
        self.of_rule: dict[int, int] = {}
        self.gates: dict[int, int] = {}
        self.defaults: dict[Outcome, int] = {}
        self.hashings: dict[int, Hashing] = {}

    def _add(self, terminal: Terminal) -> int:
        self.terminals.append(terminal)
        return len(self.terminals) - 1

    def forced(self, position: int, rule: Rule) -> int:
        """Add the end of a rule that forces its value."""
        rule_id = text(rule.get("id"))
        outcome = forced_outcome(rule_id)
        end = Terminal(value=rule["force"], source=Source.FORCE, outcome=outcome, rule=position, rule_id=rule_id)
        self.of_rule[position] = self._add(end)
        return self.of_rule[position]

    def experiment(self, position: int, rule: Rule, experiment: Mapping[str, Any], buckets: int = BUCKETS) -> int:
        """Add one end a variation of an experiment, and return the first."""
        self.of_rule[position] = len(self.terminals)
        metas = array(experiment.get("meta"))
        for variation, value in enumerate(array(experiment.get("variations"))):
            meta = mapping(metas[variation]) if variation < len(metas) else {}
            self._add(
                Terminal(
                    value=value,
                    source=Source.EXPERIMENT,
                    outcome=Outcome.ASSIGNED,
                    rule=position,
                    rule_id=text(rule.get("id")),
                    experiment=experiment,
                    experiment_key=experiment["key"],
                    variation=variation,
                    variant_key=text(meta.get("key"), str(variation)),
                    variant_name=text(meta.get("name")) or None,
                    hash_attribute=text(experiment.get("hashAttribute"), "id"),
                    buckets=buckets,
                )
            )
        return self.of_rule[position]

    def gate(self, position: int) -> int:
        """Add the end of a rule whose parent flag shuts the whole feature."""
        if position not in self.gates:
            end = Terminal(value=None, source=Source.PREREQUISITE, outcome=Outcome.PREREQUISITE, rule=position)
            self.gates[position] = self._add(end)
        return self.gates[position]

    def cyclic(self) -> int:
        """Add the end of a feature that waits for itself."""
        return self._add(Terminal(value=None, source=Source.CYCLIC_PREREQUISITE, outcome=Outcome.PREREQUISITE))

    def default(self, outcome: Outcome) -> int:
        """Add the end at the default value behind an obstacle."""
        if outcome not in self.defaults:
            end = Terminal(value=self._default, source=Source.DEFAULT_VALUE, outcome=outcome)
            self.defaults[outcome] = self._add(end)
        return self.defaults[outcome]
