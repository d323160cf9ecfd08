"""``manage.py drop_old_events``: say which days of the log are past their retention, and drop them with --now."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from analysis.rollup import retention
from analysis.rollup.retention import Planned
from events.retention import retention_days

MEGABYTE = 1024 * 1024


class Command(BaseCommand):
    """Print what the retention would drop, or drop it."""

    help = "Show which days of the event log are older than TRUELIFT_RETENTION_DAYS; --now drops those that can go."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--now", action="store_true", help="drop what can go, as the schedule does every hour")

    def handle(self, *_: Any, **options: Any) -> None:
        """Print the plan, or carry it out."""
        now = timezone.now()
        plan = retention.plan(now)
        if plan is None:
            self.stdout.write("Events are kept for good (TRUELIFT_RETENTION_DAYS=0).")
            return
        for each in plan.planned:
            self.stdout.write(_line(each))
        if plan.others:
            self.stdout.write(f"{plan.others:,} older rows outside of daily partitions")
        kept = f"Events are kept {retention_days()} days, from {plan.cutoff} on."
        if not options["now"]:
            self.stdout.write(f"{kept} {len(plan.to_drop)} days can be dropped; nothing was (--now does).")
            return
        dropped = retention.drop_expired(now)
        self.stdout.write(f"{kept} {len(dropped)} days with {sum(p.rows for p in dropped):,} events were dropped.")


def _line(each: Planned) -> str:
    partition = each.partition
    fate = f"stays: {each.kept_because}" if each.kept_because else "can go"
    return f"{partition.day}  {partition.rows:>12,} events  {partition.size / MEGABYTE:>8,.1f} MB  {fate}"
