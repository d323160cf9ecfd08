"""Run one command; what goes wrong is one line, and an exit status: docs/command-line.md says which."""

import json
import os
import sys
from collections.abc import Sequence

from rich.console import Console

from config.cli.arguments import parser
from config.cli.client import ApiClient, CommandError, RefusedError, UsageError

INTERRUPTED = 130
"""What a shell gives a command that Ctrl-C ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for and return the exit status."""
    asked = parser().parse_args(arguments)
    try:
        if asked.run is None:  # it asks no server
            asked.offline(asked)
            return 0
        with _client(asked.url, asked.key) as client:
            status: int | None = asked.run(client, asked, _console())
    except CommandError as error:
        print(_line(error, asked.json), file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `truelift … | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status if status is not None else 0


def _client(url: str | None, key: str | None) -> ApiClient:
    key = key or os.environ.get("TRUELIFT_KEY")
    if not key:
        raise UsageError("Say which key to use with --key or TRUELIFT_KEY; the keys page of the project makes one.")
    return ApiClient(url or os.environ.get("TRUELIFT_URL") or "http://127.0.0.1:8000", key)


def _console() -> Console:
    # A pipe has no width; whoever reads it wants whole lines.
    return Console() if sys.stdout.isatty() else Console(width=160)


def _line(error: CommandError, as_json: bool) -> str:
    message = " ".join(str(error).split())
    if not as_json:
        return f"truelift: {message}"
    body = error.body if isinstance(error, RefusedError) else {"code": "failed", "message": message}
    return json.dumps({"error": body}, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
