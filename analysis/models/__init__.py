"""The tables of DID IT MATTER, one topic a module."""

from analysis.models.alerts import Alert, AlertMute
from analysis.models.bandits import BanditBatch
from analysis.models.bots import BotDay, BotRule
from analysis.models.certificates import MetricCertificate
from analysis.models.details import MetricDetail
from analysis.models.examples import ExampleScores, VersionComparison
from analysis.models.glance import Glance
from analysis.models.identities import Identity, Link
from analysis.models.looks import Look
from analysis.models.mail import Digest, OutboxMessage
from analysis.models.moments import MomentSet
from analysis.models.notices import Follow, Notice, Occurrence, Recipient, Watched, Webhook
from analysis.models.past import PastEffect, PastImport
from analysis.models.portfolios import Portfolio
from analysis.models.programme import EffectVector, HoldbackWatch, InteractionScan, ProgrammeReading
from analysis.models.quantiles import QuantileReading
from analysis.models.rollup import (
    Enrolment,
    FoldedExperiment,
    FoldedProject,
    LateDay,
    StrayExposure,
    UnitBefore,
    UnitDay,
    UnitFunnel,
    UnitValue,
    Watermark,
)
from analysis.models.saved_view import SavedView
from analysis.models.scores import UnitScore
from analysis.models.sharing import Note, ShareLink
from analysis.models.snapshot import RefreshRun, ResultSnapshot
from analysis.models.sums import CrossRule, CrossSum, DaySum, SumRule

__all__ = [
    "Alert",
    "AlertMute",
    "BanditBatch",
    "BotDay",
    "BotRule",
    "CrossRule",
    "CrossSum",
    "DaySum",
    "Digest",
    "EffectVector",
    "Enrolment",
    "ExampleScores",
    "FoldedExperiment",
    "FoldedProject",
    "Follow",
    "Glance",
    "HoldbackWatch",
    "Identity",
    "InteractionScan",
    "LateDay",
    "Link",
    "Look",
    "MetricCertificate",
    "MetricDetail",
    "MomentSet",
    "Note",
    "Notice",
    "Occurrence",
    "OutboxMessage",
    "PastEffect",
    "PastImport",
    "Portfolio",
    "ProgrammeReading",
    "QuantileReading",
    "Recipient",
    "RefreshRun",
    "ResultSnapshot",
    "SavedView",
    "ShareLink",
    "StrayExposure",
    "SumRule",
    "UnitBefore",
    "UnitDay",
    "UnitFunnel",
    "UnitScore",
    "UnitValue",
    "VersionComparison",
    "Watched",
    "Watermark",
    "Webhook",
]
