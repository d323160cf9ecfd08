"""The shapes between the database and the doors: rows as they are read, and what is known of each flag served."""

import hashlib
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct

from experiments.domain.units import UnitType

_encoder = msgspec.json.Encoder(order="deterministic")


class VariantRow(Struct, frozen=True, kw_only=True):
    """A variant. ``weight`` is in ten-thousandths; ``model`` is the model version's name, or empty."""

    key: str
    weight: int
    name: str = ""
    value: Any = None
    model: str = ""


class OverrideRow(Struct, frozen=True, kw_only=True):
    """One unit that gets a variant by hand."""

    unit: str
    variant: str


class PrerequisiteRow(Struct, frozen=True, kw_only=True):
    """The flag or experiment that must have a value."""

    key: str
    value: Any


class ExperimentRow(Struct, frozen=True, kw_only=True):
    """An experiment, a holdout or a holdback. The first variant is the control; shares are in ten-thousandths.

    ``layer_salt`` is None outside layers. ``shipped`` is the key of the shipped variant, and ``parent`` the key of the
    experiment that a holdback follows.
    """

    key: str
    salt: str
    variants: tuple[VariantRow, ...]
    status: str
    name: str = ""
    kind: str = "standard"
    unit_type: str = "user"
    fallback_unit_type: str = ""
    allocation: int = 10_000
    targeting: dict[str, Any] = {}
    environments: tuple[str, ...] = ()
    respects_holdout: bool = True
    layer_salt: str | None = None
    layer_ranges: tuple[tuple[int, int], ...] = ()
    phase: int = 1
    bucket_version: int = 0
    min_bucket_version: int = 0
    shipped: str | None = None
    shipped_share: int = 10_000
    holdback_share: int = 0
    parent: str | None = None
    overrides: tuple[OverrideRow, ...] = ()
    prerequisites: tuple[PrerequisiteRow, ...] = ()


class RuleRow(Struct, frozen=True, kw_only=True):
    """A flag's rule. ``active`` says whether its time has come and is not over; no environment means every one."""

    id: int
    kind: str
    name: str = ""
    environments: tuple[str, ...] = ()
    targeting: dict[str, Any] = {}
    value: Any = None
    share: int = 10_000
    unit_type: str = "user"
    salt: str = ""
    experiment: str | None = None
    active: bool = True


class FlagRow(Struct, frozen=True, kw_only=True):
    """A flag, its rules in order, and the environments in which it is on."""

    key: str
    value_type: str
    default: Any
    name: str = ""
    enabled: tuple[str, ...] = ()
    rules: tuple[RuleRow, ...] = ()
    prerequisites: tuple[PrerequisiteRow, ...] = ()


class SegmentRow(Struct, frozen=True, kw_only=True):
    """A segment: values of one attribute, or a condition."""

    key: str
    attribute: str = ""
    values: tuple[str, ...] = ()
    condition: dict[str, Any] | None = None


class ProjectRows(Struct, frozen=True, kw_only=True):
    """All that decides who gets what in a project."""

    experiments: tuple[ExperimentRow, ...] = ()
    flags: tuple[FlagRow, ...] = ()
    segments: tuple[SegmentRow, ...] = ()


class FlagFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a door says of a flag beside its value.

    ``kind`` is flag, experiment or holdout. ``status`` is running, paused, stopped, shipped, on or disabled.
    ``default_variant`` names the default and ``variants`` what each rule forces, in the order of the rules (empty where
    a rule splits units). ``models`` holds the model version of each variant, by experiment; ``units`` the unit type of
    each experiment.
    """

    kind: str
    status: str
    value_type: str
    name: str = ""
    unit_type: str = ""
    default_variant: str = ""
    variants: tuple[str, ...] = ()
    models: dict[str, dict[str, str]] = {}
    units: dict[str, str] = {}


class ServedEnvironment(Struct, frozen=True, kw_only=True):
    """One environment's definition in the SDK protocol's terms: each feature as JSON, so that 1 and 1.0 stay two.

    ``digest`` covers the definition and not ``date_updated``, the moment since which it is as it is. ``refused`` says
    of flags that cannot be served why not; ``accept`` in :mod:`assignment.snapshot` fills in their last good ones.
    """

    features: dict[str, Raw]
    saved_groups: Raw
    facts: dict[str, FlagFacts]
    refused: dict[str, str] = {}
    digest: str
    date_updated: datetime


def sealed(
    *,
    features: dict[str, Raw],
    saved_groups: Raw,
    facts: dict[str, FlagFacts],
    refused: dict[str, str],
    date_updated: datetime,
) -> ServedEnvironment:
    """Return an environment with the digest of its definition."""
    written = _encoder.encode([features, saved_groups, facts])
    return ServedEnvironment(
        features=features,
        saved_groups=saved_groups,
        facts=facts,
        refused=refused,
        digest=hashlib.blake2b(written, digest_size=16).hexdigest(),
        date_updated=date_updated,
    )


class ServedProject(Struct, frozen=True, kw_only=True):
    """A project's definitions by environment."""

    id: int
    slug: str
    environments: dict[str, ServedEnvironment]


def hash_attribute(unit_type: str) -> str:
    """Return the attribute that names a unit: ``id`` for users, as in the SDKs, and ``<unit type>_id`` for others."""
    return "id" if unit_type == UnitType.USER else f"{unit_type}_id"
