"""What the commands share: one project by its slug, and every refusal in one line with exit status 2."""

from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError

from events.transfer.refusal import TransferError
from experiments.models import Project

WRONG_INPUT = 2


class TransferCommand(BaseCommand):
    """A command about one project's events and files; subclasses do the work."""

    def handle(self, *_: Any, **options: Any) -> None:
        """Do it, or refuse."""
        try:
            self.work(chosen_project(options["project"]), options)
        except TransferError as refused:
            raise CommandError(str(refused), returncode=WRONG_INPUT) from None
        except psycopg.Error as problem:
            said = " ".join((str(problem).strip() or type(problem).__name__).splitlines()[0].split()).rstrip(".")
            again = "What was done before is kept; run the same command again to go on"
            raise CommandError(f"The database stopped this: {said}. {again}.", returncode=1) from None

    def work(self, project: Project, options: dict[str, Any]) -> None:
        """Do what the command is for.

        Raises:
            TransferError: the file or an option does not allow it.
        """
        raise NotImplementedError


def chosen_project(slug: str) -> Project:
    """Return the project, or refuse with the slugs that there are."""
    found = Project.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:20]) or "none"
        raise TransferError(f"no project has the slug {slug!r}; there are: {known}")
    return found
