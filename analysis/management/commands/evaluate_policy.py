"""``manage.py evaluate_policy``: what candidates would have earned, from a file of decisions of any size."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis.offpolicy.giving import evaluate, give
from analysis.results.latest import results_of
from analysis.results.schema import Results
from analysis.tables.command import WRONG_INPUT
from analysis.tables.refusal import RefusalError
from experiments.models import Experiment
from experiments.pages.formats import quantity
from experiments.refusals import RefusedError


class Command(BaseCommand):
    """Evaluate a file for an off-policy evaluation that is set up."""

    help = "Value an off-policy evaluation's candidates from a CSV or Parquet file of decisions, of any size."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("project", metavar="PROJECT", help="the project's slug")
        parser.add_argument("experiment", metavar="KEY", help="the off-policy evaluation")
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="print the answer and keep nothing")

    def handle(self, *_: Any, **options: Any) -> None:
        """Evaluate and print."""
        found = Experiment.objects.filter(project__slug=options["project"], key=options["experiment"])
        experiment = found.select_related("project").first()
        if experiment is None:
            raise CommandError(
                f"Project {options['project']} has no experiment {options['experiment']}.", returncode=WRONG_INPUT
            )
        file: Path = options["file"]
        try:
            if options["dry_run"]:
                results = evaluate(experiment, file, file.name)
            else:
                results = results_of(give(experiment, file, file.name, None))
        except (RefusalError, RefusedError) as refused:
            raise CommandError(str(refused), returncode=WRONG_INPUT) from None
        self.stdout.write("\n".join(lines(results)))


def lines(results: Results) -> list[str]:
    """Return the answer as text: the verdict, then each candidate by each method."""
    said = [results.verdict.headline, results.verdict.explanation]
    found = results.off_policy
    if found is None:
        return said
    unit, currency = found.display_unit, results.experiment.currency
    said.append(f"{found.rows:,} decisions; what ran earned {quantity(found.logged_value, unit, currency)} each.")
    for policy in found.policies:
        if policy.refusal:
            said.append(f"{policy.variant}: refused: {policy.refusal}")
            continue
        worth = f"worth {policy.effective:,.0f} of its own" if policy.effective is not None else ""
        said.append(f"{policy.variant}: {worth}")
        for one in policy.estimates:
            low, high = one.interval or (None, None)
            spread = f"{quantity(low, unit, currency)} to {quantity(high, unit, currency)}"
            value = f"{quantity(one.value, unit, currency)} ({spread})"
            said.append(f"  {one.method}: {one.reason or value}")
    return said
