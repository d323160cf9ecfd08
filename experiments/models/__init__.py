"""The tables of WHAT we test, one topic a module."""

from experiments.models.accounts import Membership, Project, User
from experiments.models.answers import IdempotentAnswer
from experiments.models.audit import AuditEntry
from experiments.models.conclusion import Conclusion, Standing
from experiments.models.experiment import Experiment, ExperimentMetric, Variant
from experiments.models.flag import Flag, FlagEnvironment, FlagRule, Prerequisite
from experiments.models.keys import ApiKey
from experiments.models.layer import Layer
from experiments.models.metric import Metric, MetricVersion
from experiments.models.model_version import ModelVersion, OfflineMetric
from experiments.models.override import Override
from experiments.models.segment import Segment

__all__ = [
    "ApiKey",
    "AuditEntry",
    "Conclusion",
    "Experiment",
    "ExperimentMetric",
    "Flag",
    "FlagEnvironment",
    "FlagRule",
    "IdempotentAnswer",
    "Layer",
    "Membership",
    "Metric",
    "MetricVersion",
    "ModelVersion",
    "OfflineMetric",
    "Override",
    "Prerequisite",
    "Project",
    "Segment",
    "Standing",
    "User",
    "Variant",
]
