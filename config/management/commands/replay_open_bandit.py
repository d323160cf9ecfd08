"""Replay real impressions through the HTTP doors as an app would, and print the result."""

import asyncio
from typing import Any

from django.core.management.base import CommandError, CommandParser

from config.demo import bandit, replay, report
from config.demo.client import AppClient
from config.demo.command import DemoCommand
from config.demo.progress import Reporter
from config.demo.project import ensure_key, ensure_user
from experiments.models import Experiment


class Command(DemoCommand):
    """Replay real impressions through the HTTP doors as an app would, and print the result."""

    help = (
        "Send the real impressions of the Open Bandit Dataset (ZOZOTOWN, 24 to 30 November 2019) through the same HTTP "
        "doors as an app, and print what the product's results API says. The two ranking policies of the log are the "
        "variants, an impression is the unit. Who got which policy was decided in 2019: exposures carry the logged "
        "policy, and the product is not asked for an assignment. Running it again counts nothing twice. Exit code 1 "
        "when the figures differ from an independent computation."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the choice of a campaign."""
        super().add_arguments(parser)
        parser.add_argument("--campaign", choices=bandit.CAMPAIGNS, help="one campaign only (default: both)")
        parser.add_argument("--api-key", help="API key of the project open-bandit (default: one of the demo's own)")

    def work(self, options: dict[str, Any], reporter: Reporter) -> None:
        """Send, refresh, print."""
        user = ensure_user()
        project = replay.ensure_bandit_project(user)
        key = options["api_key"] or ensure_key(project, user)
        campaigns = [options["campaign"]] if options["campaign"] else list(bandit.CAMPAIGNS)
        experiments = {campaign: replay.ensure_campaign(project, user, campaign) for campaign in campaigns}
        asyncio.run(_send(options, key, experiments, reporter))
        for experiment in experiments.values():
            replay.close(experiment, user)
        found = asyncio.run(_read(options, key, experiments))
        for line in replay.lines(found):
            reporter.say(line)
        if not all(row.as_expected for row in found.values()):
            raise CommandError("The product's figures are not those that an independent computation found.")


async def _send(options: dict[str, Any], key: str, experiments: dict[str, Experiment], reporter: Reporter) -> None:
    async with AppClient(options["base_url"], key, connections=options["connections"]) as client:
        await client.meet()
        await client.wait_for_key()
        for campaign, experiment in experiments.items():
            await replay.send(client, experiment.name, campaign, reporter)


async def _read(options: dict[str, Any], key: str, experiments: dict[str, Experiment]) -> dict[str, replay.Replayed]:
    async with AppClient(options["base_url"], key, connections=options["connections"]) as client:
        return {
            campaign: replay.read(campaign, await report.refresh(client, experiment.key))
            for campaign, experiment in experiments.items()
        }
