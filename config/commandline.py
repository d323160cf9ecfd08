"""Run one management command; what a person can put right is one line without a traceback."""

import os
import sys
from collections.abc import Sequence

from django.core.management import execute_from_command_line
from django.db import OperationalError

from config.env import SettingError
from config.paths import home

UNREACHABLE_CLASSES = ("08", "28", "3D", "57P")
"""SQLSTATE: connection, authorisation, no such database, shut down or starting."""

INTERRUPTED = 130
"""What a shell gives a command that Ctrl-C ended."""


def run(arguments: Sequence[str]) -> int:
    """Run the command that ``arguments`` (as ``sys.argv``) name; return the exit status."""
    try:
        execute_from_command_line(list(arguments))
    except SettingError as error:
        print(error, file=sys.stderr)
    except OperationalError as error:
        if not is_unreachable(error):
            raise
        print(unreachable(error), file=sys.stderr)
    except KeyboardInterrupt:
        return INTERRUPTED
    else:
        return 0
    return 1


def is_unreachable(error: OperationalError) -> bool:
    """Say whether there is no database to talk to, and not a statement that it could not carry out."""
    code = getattr(error.__cause__, "sqlstate", None)
    return code is None or code.startswith(UNREACHABLE_CLASSES)


def unreachable(error: OperationalError) -> str:
    """Return one line: what could not be reached, what the database's library said, and what to do."""
    said = " ".join((str(error).strip() or type(error).__name__).splitlines()[0].split()).rstrip(".")
    if os.environ.get("DATABASE_URL"):
        return f"DATABASE_URL cannot be reached: {said}. Check the address and that the server runs."
    return (
        f"The database of {home()} cannot be reached: {said}. "
        "Start it with `make run` and try again, or name another one in DATABASE_URL."
    )
