"""Load the demo into a running installation."""

from typing import Any

from config.demo.command import DemoCommand
from config.demo.credentials import DEMO_EMAIL
from config.demo.loading import load
from config.demo.progress import Reporter


class Command(DemoCommand):
    """Load the demo into a running installation."""

    help = (
        "Create the demo's sign-in, shop, metrics, models and digests, and run its experiments by sending simulated "
        "shoppers and real impressions through the server's HTTP doors. Running it again adds only what is missing."
    )

    def work(self, options: dict[str, Any], reporter: Reporter) -> None:
        """Load what is missing."""
        load(options["base_url"], options["connections"], reporter)
        reporter.say(f"The demo is loaded. Sign in as {DEMO_EMAIL}.")
