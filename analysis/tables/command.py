"""What both file commands share: no checks of servers, every refusal in one line, exit status 2."""

from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analysis.tables.refusal import RefusalError

WRONG_INPUT = 2
"""Exit status where the file or an option does not allow it: as option parsers have it."""


class FileCommand(BaseCommand):
    """A command about one file; subclasses say what to print."""

    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return a parser whose complaint is one line too: the full usage would bury it."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)

        def complain(message: str) -> NoReturn:
            if not getattr(parser, "called_from_command_line", True):
                raise CommandError(f"Error: {message}", returncode=WRONG_INPUT)
            parser.exit(WRONG_INPUT, f"{parser.prog}: {message}; see --help\n")

        parser.error = complain  # type: ignore[method-assign]  # argparse offers no other way
        return parser

    def handle(self, *_: Any, **options: Any) -> None:
        """Print the answer, or refuse."""
        try:
            self.stdout.write(self.answer(options))
        except RefusalError as refused:
            raise CommandError(str(refused), returncode=WRONG_INPUT) from None

    def answer(self, options: dict[str, Any]) -> str:
        """Return what to print.

        Raises:
            RefusalError: the file or an option does not allow it.
        """
        raise NotImplementedError
