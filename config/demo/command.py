"""What the demo's commands have in common: the address, the key, and errors in one line."""

from abc import ABC, abstractmethod
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from config.commandline import unreachable
from config.demo.client import ShopError
from config.demo.connection import Address
from config.demo.progress import Reporter
from config.demo.shop import ParameterError
from experiments.setup import PlanError


class DemoCommand(ABC, BaseCommand):
    """A command that talks to a running server as an app does."""

    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what all of them take."""
        parser.add_argument(
            "--base-url", default=settings.BASE_URL, help="address of the running server (default: %(default)s)"
        )
        parser.add_argument(
            "--connections", type=int, default=16, help="HTTP connections at a time (default: %(default)s)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command; what a person can put right is one line without a traceback."""
        if not 1 <= options["connections"] <= 256:
            raise CommandError(f"--connections is {options['connections']}; it must lie between 1 and 256.")
        try:
            Address.from_url(options["base_url"])
            self.work(options, Reporter(self._say, terminal=self.stdout.isatty()))
        except (ShopError, ParameterError, PlanError, ValueError) as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(unreachable(error)) from error

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    @abstractmethod
    def work(self, options: dict[str, Any], reporter: Reporter) -> None:
        """Do what the command is for."""
