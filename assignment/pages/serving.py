"""What the doors would serve of one project in one environment at this moment, ready to be asked."""

from dataclasses import dataclass

import msgspec
from django.db import connection

from assignment.engine.program import Program, compile_features
from assignment.publish import read_project
from assignment.served import FlagFacts
from experiments.domain.environments import Environment
from experiments.models import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One environment's document: compiled, as it is written, and what is known of each flag."""

    program: Program
    features: dict[str, dict[str, object]]
    facts: dict[str, FlagFacts]
    refused: dict[str, str]


def served(project: Project, environment: Environment) -> Served:
    """Build the document from the database as it is now, the way that it is built for the doors."""
    connection.ensure_connection()
    built = read_project(connection.connection, project.pk).environments[environment]
    features = {key: msgspec.json.decode(raw) for key, raw in built.features.items()}
    groups = msgspec.json.decode(built.saved_groups)
    return Served(
        program=compile_features(features, groups), features=features, facts=built.facts, refused=built.refused
    )
