"""The tables of DID IT MATTER, one topic a module."""

from analysis.models.certificates import MetricCertificate
from analysis.models.looks import Look
from analysis.models.mail import Digest, OutboxMessage
from analysis.models.moments import MomentSet
from analysis.models.rollup import Enrolment, FoldedExperiment, FoldedProject, StrayExposure, UnitDay, Watermark
from analysis.models.snapshot import RefreshRun, ResultSnapshot

__all__ = [
    "Digest",
    "Enrolment",
    "FoldedExperiment",
    "FoldedProject",
    "Look",
    "MetricCertificate",
    "MomentSet",
    "OutboxMessage",
    "RefreshRun",
    "ResultSnapshot",
    "StrayExposure",
    "UnitDay",
    "Watermark",
]
