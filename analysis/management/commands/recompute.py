"""``manage.py recompute``: rebuild unit totals from the log, or check that they equal the incremental state."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis.rollup.check import check
from analysis.rollup.fold import fold, rebuild
from analysis.rollup.watermark import begin_anew
from experiments.models import Experiment


class Command(BaseCommand):
    """Recompute enrolments and unit totals from the event log."""

    help = "Rebuild enrolments and unit totals from the event log, or compare them with a full recompute (--check)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--check", action="store_true", help="change nothing; print differences, exit 1 on any")
        parser.add_argument(
            "--restored",
            action="store_true",
            help="after restoring a dump into another PostgreSQL: fold everything anew",
        )
        parser.add_argument("--experiment", action="append", metavar="KEY", help="only this experiment (repeatable)")

    def handle(self, *_: Any, **options: Any) -> None:
        """Run the check, or the rebuild."""
        if options["restored"]:
            events = begin_anew()
            fold()
            self.stdout.write(f"{events} events folded anew.")
            return
        experiments = self._chosen(options["experiment"])
        if options["check"]:
            self._check(experiments)
            return
        rebuild(experiments)
        self.stdout.write(f"{len(experiments)} experiments rebuilt from the log.")

    def _check(self, experiments: list[Experiment]) -> None:
        found = check(experiments)
        for difference in found.differences:
            self.stdout.write(str(difference))
        behind = f" {found.behind} not folded yet under their present plan were left out." if found.behind else ""
        summary = f"{found.experiments} experiments, {found.rows} rows, {len(found.differences)} differences.{behind}"
        if found.differences:
            raise CommandError(summary)
        self.stdout.write(summary)

    def _chosen(self, keys: list[str] | None) -> list[Experiment]:
        started = Experiment.objects.filter(started_at__isnull=False)
        if not keys:
            return list(started)
        chosen = list(started.filter(key__in=keys))
        if missing := sorted(set(keys) - {experiment.key for experiment in chosen}):
            known = ", ".join(sorted({experiment.key for experiment in started})) or "none"
            raise CommandError(f"No started experiment has the key {', '.join(missing)}. Started: {known}.")
        return chosen
