"""The tables of WHAT we test, one topic a module."""

from experiments.models.accounts import Membership, Project, User
from experiments.models.answers import IdempotentAnswer
from experiments.models.audit import AuditEntry
from experiments.models.conclusion import Conclusion, Standing
from experiments.models.experiment import Experiment, ExperimentMetric, Variant
from experiments.models.flag import Flag, FlagEnvironment, FlagRule, Prerequisite
from experiments.models.invitation import Invitation
from experiments.models.keys import ApiKey
from experiments.models.layer import Layer
from experiments.models.metric import Metric, MetricVersion
from experiments.models.model_version import ModelVersion, OfflineMetric
from experiments.models.override import Override
from experiments.models.screenshot import Screenshot
from experiments.models.segment import Segment
from experiments.models.template import ExperimentTemplate

__all__ = [
    "ApiKey",
    "AuditEntry",
    "Conclusion",
    "Experiment",
    "ExperimentMetric",
    "ExperimentTemplate",
    "Flag",
    "FlagEnvironment",
    "FlagRule",
    "IdempotentAnswer",
    "Invitation",
    "Layer",
    "Membership",
    "Metric",
    "MetricVersion",
    "ModelVersion",
    "OfflineMetric",
    "Override",
    "Prerequisite",
    "Project",
    "Screenshot",
    "Segment",
    "Standing",
    "User",
    "Variant",
]
