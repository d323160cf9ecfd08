"""What the doors would serve of one project in one environment at this moment, ready to be asked."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

import msgspec
from django.db import connection

from assignment.engine.program import Program, compile_features
from assignment.publish import Texts, build_environment, read_texts
from assignment.served import FlagFacts
from experiments.domain.environments import Environment
from experiments.models import Project

MOST_KEPT = 4
"""Programs that a server keeps; one of 2,000 experiments takes half a second to build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One environment's document: compiled, as it is written, and what is known of each flag."""

    program: Program
    features: dict[str, dict[str, object]]
    facts: dict[str, FlagFacts]
    refused: dict[str, str]


class Kept:
    """The documents that were asked for last, each under the rows that it was built from.

    The rows are read whenever it is asked: what is kept spares the building alone, and is never older than they are.
    """

    def __init__(self) -> None:
        self._built: OrderedDict[tuple[int, Environment], tuple[Texts, Served]] = OrderedDict()
        self._lock = threading.Lock()

    def served(self, texts: Texts, environment: Environment) -> Served:
        """Return the document of these rows, built if need be."""
        place = texts.id, environment
        with self._lock:
            known = self._built.get(place)
        # Compared as they are: a digest of megabytes of text would take longer.
        if known is not None and known[0] == texts:
            return known[1]
        made = _build(texts, environment)
        with self._lock:
            self._built[place] = texts, made
            self._built.move_to_end(place)
            while len(self._built) > MOST_KEPT:
                self._built.popitem(last=False)
        return made

    def __len__(self) -> int:
        return len(self._built)


_kept = Kept()


def served(project: Project, environment: Environment) -> Served:
    """Build the document from the database as it is now, the way that it is built for the doors."""
    connection.ensure_connection()
    return _kept.served(read_texts(connection.connection, project.pk), environment)


def _build(texts: Texts, environment: Environment) -> Served:
    built = build_environment(texts, environment)
    features = {key: msgspec.json.decode(raw) for key, raw in built.features.items()}
    groups = msgspec.json.decode(built.saved_groups)
    return Served(
        program=compile_features(features, groups), features=features, facts=built.facts, refused=built.refused
    )
