"""What stands beside results: links for people without an account, notes, and a metric in depth."""

from typing import Any

from config.cli.asking import changes, lists, shows
from config.cli.declaring import command, number

ONE = "/experiments/{key_}"
SHARES, NOTES = ONE + "/shares", ONE + "/notes"


def declare(words: Any) -> None:
    """Declare ``share``, ``shares``, ``unshare``, ``note``, ``notes`` and ``depth``."""
    made = changes("POST", SHARES, lambda link, _: f"{link['address']} until {link['expires_at']}", ["purpose", "days"])
    sharing = command(words, "share", made, "make a link to the results for people without an account", "KEY")
    sharing.add_argument("--for", dest="purpose", required=True, metavar="WHOM", help="who it is for")
    sharing.add_argument("--days", type=number, default=30, help="it ends after (30)")
    links = lists(SHARES, "shares", "id", "purpose", "snapshot", "expires_at", "is_open", "opened")
    command(words, "shares", links, "list the links to an experiment's results", "KEY")
    ended = changes(
        "DELETE", SHARES + "/{id}", lambda link, _: f"The link for {link['purpose']} opens nothing any more."
    )
    command(words, "unshare", ended, "end a link at once", "KEY", "ID")
    written = changes("POST", NOTES, lambda note, _: f"Note {note['id']} is written.", ["text"])
    command(words, "note", written, "write a note beside the results", "KEY", "TEXT")
    notes = lists(NOTES, "notes", "id", "written_at", "author", "text")
    command(words, "notes", notes, "list the notes beside the results", "KEY")
    command(
        words, "depth", shows(ONE + "/results/metrics/{metric}"), "print a metric's spread and course", "KEY", "METRIC"
    )
