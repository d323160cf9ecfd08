"""Drive simulated shoppers with a known truth through the HTTP doors."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any, TypeVar

from django.core.management.base import CommandError, CommandParser
from django.core.validators import slug_re

from config.demo import drive, live, programme, programming, report
from config.demo.catalogue import CLICKS_DECIDE, Serves, Story, story
from config.demo.client import AppClient
from config.demo.command import DemoCommand
from config.demo.credentials import PROJECT_SLUG
from config.demo.kinds import running
from config.demo.progress import Reporter
from config.demo.project import (
    ensure_catalogue,
    ensure_experiment,
    ensure_key,
    ensure_project,
    ensure_user,
    start_in_the_past,
    truths,
)
from config.demo.shop import Effects, ParameterError, check_loss, true_lifts
from experiments.domain.lifecycle import Status
from experiments.domain.units import UnitType
from experiments.models import Experiment, Project, User

MOST_SHOPPERS, MOST_DAYS, FASTEST = 1_000_000, 365, 200
LEAST_DRIFT, MOST_DRIFT = -1.0, 5.0
BROKEN_SPLIT_LOSES = 0.15
DEFAULT_KEY = "simulated-shop"
T = TypeVar("T")


class Command(DemoCommand):
    """Drive simulated shoppers with a known truth through the HTTP doors."""

    help = (
        "Drive simulated shoppers with a known truth through the same HTTP doors as an app: every shopper is evaluated "
        "over OFREP; exposures, result lists, clicks and orders go to the Segment batch endpoint with their simulated "
        "times in the past. Effects are relative: 0.1 is 10 % more. A missing experiment is created and started back "
        "then. Running it again with the same seed counts nothing twice; another seed brings other shoppers."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the shop's parameters."""
        super().add_arguments(parser)
        parser.add_argument("--api-key", help="the project's API key (default: the demo's own, made when missing)")
        parser.add_argument(
            "--project",
            help=f"slug of the project (default: {PROJECT_SLUG}; of a programme {programme.PROJECT_SLUG})",
        )
        parser.add_argument("--experiment", metavar="KEY", default=DEFAULT_KEY, help="default: %(default)s")
        parser.add_argument("--shoppers", type=int, help="default: 5000; 500 for each experiment of a programme")
        parser.add_argument("--days", type=int, help="days in the past to fill (default: 14; of a programme 7)")
        parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
        truth = parser.add_argument_group("the truth: what the treatment changes, relative to control")
        truth.add_argument("--ctr-effect", type=float, default=0.0, help="clicks for each result list")
        truth.add_argument("--purchase-effect", type=float, default=0.0, help="orders for each click")
        truth.add_argument("--value-effect", type=float, default=0.0, help="value of an order")
        truth.add_argument("--latency-effect", type=float, default=0.0, help="latency of a result page")
        truth.add_argument(
            "--split", choices=["fair", "broken"], default="fair", help="broken: the treatment loses exposures"
        )
        truth.add_argument("--lost-exposures", type=float, help="share that a broken split loses (default: 0.15)")
        parser.add_argument(
            "--kind",
            choices=sorted(running.KINDS),
            help="simulate another kind than an A/B test, in sizes of its own; --shoppers are then its decisions, "
            "searches, sessions or orders, and --ctr-effect is its effect",
        )
        whole = parser.add_argument_group("many experiments")
        whole.add_argument(
            "--programme",
            type=int,
            metavar="N",
            help="run N model experiments instead of one, in which orders follow clicks by --slope, and print which "
            "proxy the product trusts",
        )
        whole.add_argument("--slope", type=float, default=0.5, help="true slope of a programme (default: %(default)s)")
        truth.add_argument(
            "--score-drift",
            type=float,
            default=0.0,
            help="change of the treatment's predicted scores after ten days, as a share of themselves (default: none)",
        )
        parser.add_argument("--report", action="store_true", help="refresh, and print the results beside the truth")
        parser.add_argument(
            "--check",
            action="store_true",
            help="like --report; exit 1 when a truth lies further outside than chance explains",
        )
        parser.add_argument("--live", action="store_true", help="feed whatever runs in the project, until stopped")
        parser.add_argument("--rate", type=float, default=2.0, help="shoppers a second with --live (default: 2)")

    def work(self, options: dict[str, Any], reporter: Reporter) -> None:
        """Simulate the past, or feed the present."""
        if options["kind"] is not None:
            self._kind(options, reporter)
            return
        _fill_in(options)
        _check(options)
        if options["programme"] is not None:
            self._programme(options, reporter)
            return
        plan = story_of(options)
        user = ensure_user()
        project = _project(options["project"], user)
        key = options["api_key"] or ensure_key(project, user)
        if options["live"]:
            asyncio.run(_feed(options, project, key, reporter))
        else:
            self._simulate(options, plan, project, user, key, reporter)

    def _simulate(
        self, options: dict[str, Any], plan: Story, project: Project, user: User, key: str, reporter: Reporter
    ) -> None:
        experiment = ensure_experiment(project, user, plan)
        _refuse_unsuitable(experiment)
        start = datetime.combine(datetime.now(UTC).date() - timedelta(days=plan.days), time(), UTC)
        start_in_the_past(experiment, user, start)
        names = drive.names_of(plan, experiment.variants.values_list("key", "name"))
        run = drive.Drive(story=plan, names=names, start=start)
        found = asyncio.run(_drive(options, key, run, truths(experiment), reporter))
        if options["check"] and (missed := report.beyond_chance(found)):
            raise CommandError(f"The truth lies further outside than chance explains: {', '.join(missed)}.")

    def _kind(self, options: dict[str, Any], reporter: Reporter) -> None:
        user = ensure_user()
        project = _project(options["project"] or PROJECT_SLUG, user)
        key = options["api_key"] or ensure_key(project, user)
        named = options["experiment"] if options["experiment"] != DEFAULT_KEY else None
        asked = running.Asked(
            kind=options["kind"],
            experiment=named,
            size=options["shoppers"],
            days=options["days"],
            seed=options["seed"],
            effect=options["ctr_effect"] or None,
        )
        wish = running.wish_of(asked, project, user)
        address = options["base_url"], key, options["connections"]
        found = running.simulate(address, options["kind"], wish, reporter)
        missed = [one.name for one in found if one.is_beyond_chance]
        if options["check"] and missed:
            raise CommandError(f"The truth lies further outside than chance explains: {', '.join(missed)}.")

    def _programme(self, options: dict[str, Any], reporter: Reporter) -> None:
        drawn = programme.trials(
            options["programme"], options["slope"], options["shoppers"], options["days"], options["seed"]
        )
        user, now = ensure_user(), datetime.now(UTC)
        project = _project(options["project"], user)
        key = options["api_key"] or ensure_key(project, user)
        waiting = programming.prepare(project, user, drawn, now)
        asyncio.run(_connected(options, key, lambda client: programming.send(client, waiting, reporter)))
        programming.close(waiting, user)
        if not (options["report"] or options["check"]):
            reporter.say("Sent. Add --report to see which proxy the product trusts.")
            return
        outcome = asyncio.run(
            _connected(options, key, lambda client: programming.ask(client, drawn, options["slope"], reporter))
        )
        for line in programming.lines(outcome):
            reporter.say(line)
        if options["check"] and (wrong := programming.failure(outcome)):
            raise CommandError(wrong)


async def _connected(options: dict[str, Any], key: str, work: Callable[[AppClient], Awaitable[T]]) -> T:
    """Do something with a client of the server."""
    patience = programming.PATIENCE
    async with AppClient(options["base_url"], key, connections=options["connections"], patience=patience) as client:
        await client.meet()
        await client.wait_for_key()
        return await work(client)


def _fill_in(options: dict[str, Any]) -> None:
    """Choose what was not said: a programme has many small experiments in a project of its own."""
    many = options["programme"] is not None
    usual = {"project": (PROJECT_SLUG, programme.PROJECT_SLUG), "shoppers": (5_000, 500), "days": (14, 7)}
    for name, (one, of_many) in usual.items():
        if options[name] is None:
            options[name] = of_many if many else one


async def _drive(
    options: dict[str, Any], key: str, run: drive.Drive, truth_of: dict[str, str], reporter: Reporter
) -> list[report.Finding]:
    async with AppClient(options["base_url"], key, connections=options["connections"]) as client:
        await client.meet()
        await drive.run(client, run, reporter)
        if not (options["report"] or options["check"]):
            reporter.say(f"Sent. Add --report to see the results of {run.story.key} beside the truth.")
            return []
        results = await report.refresh(client, run.story.key)
    truth = true_lifts(run.story.effects, run.story.days, run.start.weekday())
    found = report.findings(results, truth, truth_of)
    for line in report.lines(results, found):
        reporter.say(line)
    reporter.say(report.conclusion(results, found))
    return found


async def _feed(options: dict[str, Any], project: Project, key: str, reporter: Reporter) -> None:
    async with AppClient(options["base_url"], key, connections=4, patience=float("inf")) as client:
        reporter.say(f"Feeding {options['rate']:g} shoppers a second to what runs in {project.slug}; Ctrl-C stops.")
        await live.run(live.Feed(client=client, project=project, seed=options["seed"]), options["rate"], reporter)


def story_of(options: dict[str, Any]) -> Story:
    """Build the experiment that the options describe; a key of the demo's own keeps its names."""
    known = story(options["experiment"])
    lost = options["lost_exposures"]
    if options["split"] == "broken":
        lost = BROKEN_SPLIT_LOSES if lost is None else lost
    return Story(
        key=options["experiment"],
        name=known.name if known else options["experiment"].replace("-", " ").capitalize(),
        hypothesis=known.hypothesis if known else "The new model brings more clicks, and with them more orders.",
        control=known.control if known else Serves(name="Control"),
        treatment=known.treatment if known else Serves(name="Treatment"),
        plan=known.plan if known else CLICKS_DECIDE,
        shoppers=options["shoppers"],
        days=options["days"],
        seed=options["seed"],
        ended=None,
        planned_days=options["days"],
        lost_exposures=lost or 0.0,
        score_drift=options["score_drift"],
        own_effects=Effects(
            ctr=options["ctr_effect"],
            purchase=options["purchase_effect"],
            value=options["value_effect"],
            latency=options["latency_effect"],
        ),
    )


def _check(options: dict[str, Any]) -> None:
    limits = {"shoppers": (1, MOST_SHOPPERS), "days": (1, MOST_DAYS), "seed": (0, 2**32 - 1), "rate": (0.01, FASTEST)}
    for name, (least, most) in limits.items():
        if not least <= options[name] <= most:
            raise ParameterError(f"--{name} is {options[name]:g}; it must lie between {least:,} and {most:,}.")
    if options["lost_exposures"] is not None and options["split"] != "broken":
        raise ParameterError("--lost-exposures is for a broken split; add --split broken.")
    check_loss(options["lost_exposures"] or 0.0)
    if not LEAST_DRIFT <= options["score_drift"] <= MOST_DRIFT:
        raise ParameterError(
            f"--score-drift is {options['score_drift']:g}; it must lie between {LEAST_DRIFT:g} and {MOST_DRIFT:g} "
            "(relative: -0.3 means scores 30 % lower)."
        )


def _project(slug: str, user: User) -> Project:
    if not slug_re.fullmatch(slug):
        raise CommandError(f"--project is {slug!r}; it must be made of letters, digits, underscores and hyphens.")
    known = Project.objects.filter(slug=slug).first()
    project = known or ensure_project(slug, slug.replace("-", " ").capitalize(), user)
    ensure_catalogue(project, user)
    return project


def _refuse_unsuitable(experiment: Experiment) -> None:
    if experiment.status == Status.STOPPED:
        raise CommandError(f"The experiment {experiment.key} has been stopped; choose another --experiment.")
    if experiment.unit_type != UnitType.USER:
        raise CommandError(
            f"The experiment {experiment.key} is on {experiment.unit_type} units; simulated shoppers are users."
        )
