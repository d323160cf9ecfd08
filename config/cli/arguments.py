"""What can be asked for on the command line: every topic declares its own words."""

import argparse

from config.cli import (
    beside,
    completion,
    evidence,
    experiments,
    flags,
    metrics,
    models,
    people,
    programme,
    raw,
    reading,
    steps,
    watchfulness,
    watching,
)
from config.cli.declaring import OneLineParser, common

TOPICS = (
    experiments, flags, steps, reading, watching, beside, metrics, models, evidence, programme, watchfulness, people,
    raw,
)  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command; each command's function is in ``run``."""
    top = OneLineParser(prog="truelift", description="Experiments and flags from a terminal.")
    common(top, top=True)
    words = top.add_subparsers(required=True, metavar="COMMAND")
    for topic in TOPICS:
        topic.declare(words)
    completion.declare(words, top)
    return top
