"""An experiment's life: start, pause, resume, stop, ship, grow, deal anew, conclude."""

import argparse
from typing import Any

from config.cli import tables
from config.cli.asking import changes, moved, shows
from config.cli.declaring import Asked, command, share, why

ONE = "/experiments/{key_}"
DECISIONS = {"ship": "ship", "roll-back": "roll back", "iterate": "iterate"}


def declare(words: Any) -> None:
    """Declare each step, and what people decide in the end."""
    for step, text, required in (
        ("start", "start a draft", False),
        ("pause", "give everyone the control for a while", True),
        ("resume", "go on after a pause", False),
        ("stop", "stop an experiment for good", True),
    ):
        run = changes("POST", f"{ONE}/{step}", moved, ["why"])
        why(command(words, step, run, text, "KEY"), required=required)
    _growing(words)
    _shipping(words)
    _concluding(words)


def _growing(words: Any) -> None:
    grown = changes("POST", ONE + "/traffic", _traffic, ["traffic", "why"])
    growing = command(words, "grow", grown, "let a larger share of the traffic take part", "KEY")
    growing.add_argument("traffic", metavar="PERCENT", type=share)
    why(growing)
    dealt = changes("POST", ONE + "/phases", _phase, ["traffic", "weights", "why"])
    anew = command(words, "new-phase", dealt, "deal all units anew: results count from now on", "KEY")
    anew.add_argument("--traffic", metavar="PERCENT", type=share, help="another share of the traffic")
    anew.add_argument("--weights", metavar="A=50,B=50", type=weights, help="other weights of all variants, in per cent")
    why(anew, required=True)


def _shipping(words: Any) -> None:
    shipped = changes("POST", ONE + "/ship", moved, ["variant", "why", "holdback", "ramp"])
    shipping = command(words, "ship", shipped, "stop it and give everyone a variant", "KEY", "VARIANT")
    shipping.add_argument("--holdback", type=share, default=0, metavar="PERCENT", help="share that keeps the control")
    shipping.add_argument(
        "--ramp", type=ramp, metavar="10:24,50:24,100", help="steps: per cent of the traffic, and hours until the next"
    )
    why(shipping, required=True)
    withdrawn = changes("POST", ONE + "/withdraw", lambda made, _: f"{made['key']}: nobody gets it now.", ["why"])
    why(command(words, "withdraw", withdrawn, "take a shipped variant back", "KEY"), required=True)


def _concluding(words: Any) -> None:
    concluded = changes("POST", ONE + "/conclusions", _concluded, ["decision", "reason=why", "learned", "tags"])
    concluding = command(words, "conclude", concluded, "record what you decide, and what was learned", "KEY")
    concluding.add_argument("decision", type=decision, metavar="DECISION", help=", ".join(DECISIONS))
    why(concluding, required=True)
    concluding.add_argument("--learned", required=True, metavar="TEXT", help="what others should know")
    concluding.add_argument("--tag", dest="tags", action="append", metavar="TAG", help="to find it by; may be repeated")
    log = shows(ONE + "/conclusions", lambda found, _: tables.some(found["conclusions"], DECIDED))
    command(words, "conclusions", log, "print every decision about an experiment", "KEY")


DECIDED = ("decision", "state", "decided_by", "recommendation", "against", "reason", "learned")


def _traffic(made: Any, _: Asked) -> str:
    return f"{made['traffic'] / 100:g} % of the traffic takes part in {made['key']}."


def _phase(made: Any, _: Asked) -> str:
    return f"{made['key']} is in phase {made['phase']}; results count from now on."


def _concluded(made: Any, asked: Asked) -> str:
    if made["state"] == "requested":
        return f"The rule says: {made['recommendation']}. A second person must agree, on the page of {asked.key_}."
    return f"{asked.key_}: {made['decision']}. That is on record."


def decision(text: str) -> str:
    """Read a decision, written in one word or two."""
    found = DECISIONS.get(text.lower().replace(" ", "-"))
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no decision; there are {', '.join(DECISIONS)}")
    return found


def weights(text: str) -> dict[str, int]:
    """Read ``control=50,v2=50`` as shares by variant."""
    pairs = [pair.rpartition("=") for pair in text.split(",")]
    if not all(key.strip() and percent for key, _, percent in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not as control=50,v2=50")
    return {key.strip(): share(percent) for key, _, percent in pairs}


def ramp(text: str) -> list[dict[str, int]]:
    """Read ``10:24,50:24,100`` as shares of the traffic with the hours until the next."""
    made = []
    for step in text.split(","):
        percent, _, hours = step.partition(":")
        if hours and not (hours.isascii() and hours.isdigit()):
            raise argparse.ArgumentTypeError(f"{hours!r} are no whole hours; a step is as 10:24")
        made.append({"share": share(percent), "after_hours": int(hours or 0)})
    return made
