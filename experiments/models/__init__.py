"""The tables of WHAT we test, one topic a module."""

from experiments.models.accounts import Membership, Project, User
from experiments.models.audit import AuditEntry
from experiments.models.experiment import Experiment, ExperimentMetric, Variant
from experiments.models.keys import ApiKey
from experiments.models.metric import Metric
from experiments.models.model_version import ModelVersion

__all__ = [
    "ApiKey",
    "AuditEntry",
    "Experiment",
    "ExperimentMetric",
    "Membership",
    "Metric",
    "ModelVersion",
    "Project",
    "User",
    "Variant",
]
