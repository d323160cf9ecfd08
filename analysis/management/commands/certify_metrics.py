"""``manage.py certify_metrics``: A/A replays of a project's metrics on its own units."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis import history
from analysis.certifying import certify
from analysis.decisions import wording
from analysis.models import MetricCertificate
from analysis.tables.text import table
from experiments.models import Metric, Project

FEWEST_DRAWS = 100
_HEAD = ("metric", "units of", "verdict", "units", "splits", "called", "interval", "KS p", "variance ratio")


class Command(BaseCommand):
    """Replay and store certificates."""

    help = "Split a project's past units at random many times and say of each metric how often its test would cry wolf."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("project", metavar="PROJECT", help="the project's slug")
        parser.add_argument("--draws", metavar="N", type=int, default=1000, help="splits (1000)")
        parser.add_argument("--metric", metavar="KEY", action="append", default=[], help="only this one; repeatable")
        parser.add_argument("--seed", metavar="N", type=int, default=0, help="another number, other splits (0)")

    def handle(self, *_: Any, **options: Any) -> None:
        """Replay, store, print."""
        if options["draws"] < FEWEST_DRAWS:
            least = f"give at least {FEWEST_DRAWS}, 1000 for a rate known to half a point"
            raise CommandError(f"--draws {options['draws']}: too few to tell a rate; {least}.", returncode=2)
        project = chosen_project(options["project"])
        metrics = chosen_metrics(project, options["metric"])
        made, without = certify(project, metrics, options["draws"], options["seed"])
        if not made:
            raise CommandError(
                f"No experiment of {project.slug} has units for these metrics yet; run one, or an A/A test.",
                returncode=2,
            )
        lines = table(_HEAD, [_row(one) for one in made])
        lines += ["", *(f"{one.metric.key}: {one.sentence}" for one in made)]
        lines += [f"{metric.key}: no experiment has units for it yet." for metric in without]
        self.stdout.write("\n".join(lines))


def chosen_project(slug: str) -> Project:
    """Return the project, or refuse with the slugs that there are."""
    found = Project.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:20]) or "none"
        raise CommandError(f"No project has the slug {slug!r}. There are: {known}.", returncode=2)
    return found


def chosen_metrics(project: Project, keys: list[str]) -> list[Metric]:
    """Return the named metrics, or all that some folded experiment has."""
    if not keys:
        return history.metrics(project)
    found = {metric.key: metric for metric in Metric.objects.filter(project=project)}
    if missing := sorted(set(keys) - set(found)):
        known = ", ".join(sorted(found)) or "none"
        raise CommandError(
            f"{project.slug} has no metric with the key {', '.join(missing)}. There are: {known}.", returncode=2
        )
    return [found[key] for key in dict.fromkeys(keys)]


def _row(one: MetricCertificate) -> tuple[str, ...]:
    return (
        one.metric.key,
        one.experiment.key,
        one.verdict,
        f"{one.units:,}",
        f"{one.draws:,}",
        f"{one.false_positives:.1%}",
        f"{one.low:.1%} to {one.high:.1%}",
        wording.p_value(one.uniformity).removeprefix("p = "),
        f"{one.variance_ratio:.3f}",
    )
