"""What an evaluation returns, in the SDK protocol's terms."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from assignment.engine.sdk.values import mapping, truthy

BANDIT_FIELDS = ("leafId", "variationWeights", "banditVersion")


class Source(StrEnum):
    """Where a feature's value comes from."""

    UNKNOWN_FEATURE = "unknownFeature"
    DEFAULT_VALUE = "defaultValue"
    FORCE = "force"
    OVERRIDE = "override"
    EXPERIMENT = "experiment"
    PREREQUISITE = "prerequisite"
    CYCLIC_PREREQUISITE = "cyclicPrerequisite"


class ExperimentResult(Struct, frozen=True, gc=False):
    """What an experiment did with a unit. ``bandit`` holds the leaf's fields where a contextual bandit decided."""

    in_experiment: bool
    variation_id: int
    value: Any
    key: str
    hash_used: bool
    hash_attribute: str
    hash_value: str
    feature_id: str | None = None
    sticky_bucket_used: bool = False
    bucket: float | None = None
    name: str | None = None
    passthrough: bool = False
    bandit: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the result as the SDKs write it; optional fields appear only where they say something."""
        optional = {"name": self.name, "bucket": self.bucket, "passthrough": self.passthrough or None}
        bandit = {name: value for name, value in mapping(self.bandit).items() if name in BANDIT_FIELDS}
        return {
            "inExperiment": self.in_experiment,
            "hashUsed": self.hash_used,
            "variationId": self.variation_id,
            "value": self.value,
            "key": self.key,
            "hashAttribute": self.hash_attribute,
            "hashValue": self.hash_value,
            "featureId": self.feature_id,
            "stickyBucketUsed": self.sticky_bucket_used,
            **{name: value for name, value in optional.items() if value is not None},
            **bandit,
        }


class FeatureResult(Struct, frozen=True, gc=False):
    """What a feature's value is for a unit, and why. ``experiment`` is the one that decided, as the protocol has it."""

    value: Any
    source: Source
    rule_id: str = ""
    experiment: Mapping[str, Any] | None = None
    experiment_result: ExperimentResult | None = None

    @property
    def on(self) -> bool:
        """Whether the value counts as on: all but null, false, the empty string and 0."""
        return truthy(self.value)

    def as_json(self) -> dict[str, Any]:
        """Return the result as the SDKs write it."""
        written: dict[str, Any] = {
            "value": self.value,
            "on": self.on,
            "off": not self.on,
            "source": self.source.value,
            "ruleId": self.rule_id,
        }
        if self.experiment is not None and self.experiment_result is not None:
            written["experiment"] = dict(self.experiment)
            written["experimentResult"] = self.experiment_result.as_json()
        return written
