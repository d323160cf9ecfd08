"""Searchers who click what is relevant, and two rankers of which one knows better what that is."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from asgiref.sync import sync_to_async

from analysis.results.schema import Results
from assignment.client.drafting import Draft as Mixed
from assignment.client.drafting import team_draft
from config.demo.client import AppClient, Event, for_each
from config.demo.kinds.trial import Draft, Truth, Wish, event, send, started
from config.demo.progress import Reporter
from experiments.domain.designs.interleaving import InterleavingDesign
from experiments.domain.kinds import ExperimentKind
from experiments.domain.units import UnitType

ITEMS, LENGTH, SEARCHES = 20, 6, 2
BLUR = 0.6
"""How far the ranker in use is from knowing what is relevant; a better one is as much nearer as the effect says."""
ATTENTION = 0.8
RUNS = 40_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search: what is relevant, both rankings, and the draws that decide what is clicked."""

    control: list[str]
    treatment: list[str]
    relevance: dict[str, float]
    draws: list[float]


def search(random: np.random.Generator, effect: float) -> Search:
    """Draw one search."""
    relevance = random.random(ITEMS)
    noise = random.normal(size=(2, ITEMS))
    orders = [np.argsort(-(relevance + blur * noise[i])) for i, blur in enumerate((BLUR, BLUR * (1 - effect)))]
    control, treatment = ([f"item-{k}" for k in order] for order in orders)
    named = {f"item-{k}": float(relevance[k]) for k in range(ITEMS)}
    return Search(control=control, treatment=treatment, relevance=named, draws=random.random(LENGTH).tolist())


def clicks(one: Search, items: tuple[str, ...]) -> list[str]:
    """Return what is clicked of a list: relevant items, the higher the likelier."""
    return [
        item for place, item in enumerate(items) if one.draws[place] < 0.3 * one.relevance[item] ** 2 * ATTENTION**place
    ]


async def run(client: AppClient, wish: Wish, reporter: Reporter) -> None:
    """Have every searcher's lists mixed by the server, shown and clicked."""
    await sync_to_async(started)(
        wish,
        Draft(
            kind=ExperimentKind.INTERLEAVING,
            name="Which ranker do people prefer?",
            hypothesis="The new ranker knows better what is relevant.",
            variants=(("control", "Ranker in use"), ("treatment", "New ranker")),
            design=InterleavingDesign(length=LENGTH),
            unit_type=UnitType.USER,
            metric=None,
        ),
    )
    random = np.random.default_rng(wish.seed)
    seconds = random.random(wish.size) * (wish.days * 86_400 - 90_000)  # choices of the last lists have their day
    whole = [(number, search(random, wish.effect)) for number in range(wish.size)]
    events: list[Event] = []
    await client.wait_until_served(wish.key)
    with reporter.step("lists mixed", wish.size) as advance:

        async def one(numbered: tuple[int, Search]) -> None:
            number, drawn = numbered
            user, impression = f"searcher-{number // SEARCHES}", f"{wish.key}-{wish.seed}-{number}"
            mixed = await client.interleave(wish.key, user, impression, drawn.control, drawn.treatment, LENGTH)
            if mixed is not None:
                at = wish.start + timedelta(seconds=float(seconds[number]))
                events.append(event("Ranking Shown", at, f"{impression}-shown", mixed, user=user))
                for item in clicks(drawn, tuple(mixed["items"])):
                    chosen = {"impression_id": impression, "item_id": item}
                    later = at + timedelta(seconds=20)
                    events.append(event("Ranking Clicked", later, f"{impression}-{item}", chosen, user=user))
            advance(1)

        await for_each(whole, client.connections, one)
    await send(client, events, reporter, "lists and clicks")


def truths(wish: Wish, results: Results) -> list[Truth]:
    """Return the mean vote of very many searchers beside what is reported."""
    random = np.random.default_rng(wish.seed + 1)
    votes = [_credit(search(random, wish.effect), f"truth-{number}") for number in range(RUNS)]
    found = results.interleaving
    return [
        Truth(
            name="mean vote for the new ranker",
            truth=float(np.mean(votes)),
            value=found.value if found else None,
            interval=found.interval if found else None,
        )
    ]


def _credit(one: Search, seed: str) -> int:
    mixed: Mixed = team_draft(one.control, one.treatment, length=LENGTH, seed=seed)
    teams = dict(zip(mixed.items, mixed.teams, strict=True))
    return sum(1 if teams[item] == "treatment" else -1 for item in clicks(one, mixed.items))
