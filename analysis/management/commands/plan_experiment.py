"""``manage.py plan_experiment``: how many units and days a change needs, from the project's own past."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis import forecasting, history
from analysis.forecasting import Wish
from analysis.management.commands.certify_metrics import chosen_metrics, chosen_project
from analysis.stats.unavailable import NotComputable


class Command(BaseCommand):
    """Plan an experiment in words."""

    help = "Say how many units and days a change of a metric needs, from the project's own traffic and past."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("project", metavar="PROJECT", help="the project's slug")
        parser.add_argument("--metric", metavar="KEY", required=True, help="the success metric")
        parser.add_argument("--change", metavar="2%", required=True, help="the relative change to see, 2%% or 0.02")
        parser.add_argument("--variants", metavar="N", type=int, default=2, help="with the control (2)")
        parser.add_argument("--guardrails", metavar="N", type=int, default=0, help="that must be held as well (0)")
        parser.add_argument("--sequential", action="store_true", help="look every day instead of once at the end")
        parser.add_argument("--share", metavar="100%", default="100%", help="of the traffic that takes part (100%%)")
        parser.add_argument("--power", metavar="80%", default="80%", help="chance to see the change (80%%)")
        parser.add_argument("--alpha", metavar="0.05", default="0.05", help="two-sided risk (0.05)")

    def handle(self, *_: Any, **options: Any) -> None:
        """Plan and print."""
        project = chosen_project(options["project"])
        (metric,) = chosen_metrics(project, [options["metric"]])
        change = _fraction("--change", options["change"])
        if change <= -1 or change == 0:
            raise CommandError(f"--change {options['change']}: give a change above −100% that is not 0.", returncode=2)
        share, power, alpha = (_inside(name, options[name[2:]]) for name in ("--share", "--power", "--alpha"))
        if options["variants"] < 2 or options["guardrails"] < 0:
            raise CommandError("--variants is at least 2 and --guardrails at least 0.", returncode=2)
        source = history.sources(project, [metric]).get(metric.pk)
        if source is None:
            raise CommandError(
                f"No experiment of {project.slug} has units for {metric.key} yet; run one, or an A/A test.",
                returncode=2,
            )
        wish = Wish(
            change=change,
            variants=options["variants"],
            guardrails=options["guardrails"],
            sequential=options["sequential"],
            share=share,
            power=power,
            alpha=alpha,
        )
        found = forecasting.plan(metric, source, wish)
        if isinstance(found, NotComputable):
            raise CommandError(f"{metric.key} cannot be planned: {found.reason}.", returncode=2)
        self.stdout.write("\n".join(forecasting.in_words(found, change)))


def _fraction(name: str, text: str) -> float:
    try:
        value = float(text.rstrip("% "))
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise CommandError(f"{name} {text!r} is no number; write 2% or 0.02.", returncode=2)
    return value / 100 if text.rstrip().endswith("%") else value


def _inside(name: str, text: str) -> float:
    value = _fraction(name, text)
    if not 0 < value <= 1 or (name != "--share" and value == 1):
        raise CommandError(f"{name} {text}: give a share above 0 and below 100%, such as 80% or 0.8.", returncode=2)
    return value
