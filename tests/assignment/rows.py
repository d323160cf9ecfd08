"""Builders of rows as the publisher reads them, and a reading of what is published by the reference engine."""

from typing import Any

from assignment.document import publish
from assignment.engine.sdk.context import Context
from assignment.engine.sdk.evaluating import evaluate_feature
from assignment.engine.sdk.results import FeatureResult
from assignment.served import ExperimentRow, FlagRow, OverrideRow, PrerequisiteRow, ProjectRows, RuleRow, SegmentRow
from assignment.served import VariantRow as VariantRow
from experiments.domain.environments import all_environments

EVERYWHERE = tuple(all_environments())
UNITS = [f"shopper-{number}" for number in range(2_000)]


def variant(key: str, **fields: Any) -> VariantRow:
    return VariantRow(key=key, **{"weight": 5000, **fields})


def experiment(key: str = "ranker", **fields: Any) -> ExperimentRow:
    defaults: dict[str, Any] = {
        "salt": f"salt of {key}",
        "status": "running",
        "environments": EVERYWHERE,
        "variants": (variant("control"), variant("treatment")),
    }
    return ExperimentRow(key=key, **{**defaults, **fields})


def holdout(key: str = "quiet", size: int = 1000, **fields: Any) -> ExperimentRow:
    variants = (variant("holdoutcontrol"), variant("holdouttreatment"))
    return experiment(key, kind="holdout", allocation=2 * size, **{"variants": variants, **fields})


def shipped(key: str = "ranker", **fields: Any) -> ExperimentRow:
    return experiment(key, **{"status": "stopped", "shipped": "treatment", **fields})


def holdback(parent: str = "ranker", **fields: Any) -> ExperimentRow:
    return experiment(f"{parent}-holdback", kind="holdback", parent=parent, **fields)


def flag(key: str = "banner", **fields: Any) -> FlagRow:
    return FlagRow(key=key, **{"value_type": "string", "default": "off", "enabled": EVERYWHERE, **fields})


def rule(number: int = 1, kind: str = "force", **fields: Any) -> RuleRow:
    return RuleRow(id=number, kind=kind, **fields)


def override(unit: str, variant: str = "treatment") -> OverrideRow:
    return OverrideRow(unit=unit, variant=variant)


def needs(key: str, value: Any) -> PrerequisiteRow:
    return PrerequisiteRow(key=key, value=value)


def segment(key: str, **fields: Any) -> SegmentRow:
    return SegmentRow(key=key, **fields)


class Published:
    """A document, and what the reference engine answers from it."""

    def __init__(self, *rows: Any, environment: str = "production") -> None:
        def of(kind: type) -> tuple[Any, ...]:
            return tuple(row for row in rows if isinstance(row, kind))

        project = ProjectRows(experiments=of(ExperimentRow), flags=of(FlagRow), segments=of(SegmentRow))
        self.document = publish(project, environment)
        self.features = self.document.features
        self.refused = self.document.refused

    def rules(self, key: str = "ranker") -> list[dict[str, Any]]:
        rules: list[dict[str, Any]] = self.features[key]["rules"]
        return rules

    def ask(self, key: str, unit: str | None = None, **attributes: Any) -> FeatureResult:
        given = attributes if unit is None else {"id": unit, **attributes}
        groups = self.document.saved_groups
        return evaluate_feature(Context(attributes=given, features=self.features, saved_groups=groups), key)

    def split(self, key: str = "ranker", units: list[str] = UNITS) -> dict[str, Any]:
        return {unit: self.ask(key, unit).value for unit in units}

    def where(self, value: Any, key: str = "ranker") -> set[str]:
        return {unit for unit, given in self.split(key).items() if given == value}

    def assigned(self, key: str = "ranker") -> set[str]:
        return {unit for unit in UNITS if self.ask(key, unit).source == "experiment"}
