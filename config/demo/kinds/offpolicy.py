"""Decisions of an exploring policy, logged with their probabilities, and the exact value of one that never ran."""

from datetime import timedelta

import numpy as np
from asgiref.sync import sync_to_async

from analysis.results.schema import Results
from config.demo.client import AppClient
from config.demo.kinds.trial import Draft, Truth, Wish, event, metric_of, send, started
from config.demo.progress import Reporter
from experiments.domain.designs.offpolicy import OffPolicyDesign
from experiments.domain.kinds import ExperimentKind
from experiments.domain.metrics import DisplayUnit, MetricKind
from experiments.domain.units import UnitType

DECISION = "Decision Logged"
CONTEXTS = ("phone", "tablet", "desktop")
LOGGING = np.array([[0.4, 0.3, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25], [0.1, 0.2, 0.3, 0.4]])
RATES = np.array([[0.04, 0.06, 0.08, 0.12], [0.05, 0.05, 0.10, 0.10], [0.12, 0.10, 0.06, 0.04]])
TEMPERATURE = 40.0


def candidate(effect: float) -> np.ndarray:
    """Return a policy that likes what earns, the more so the larger the effect (0 is the one that ran)."""
    leaning = LOGGING * np.exp(TEMPERATURE * effect * RATES)
    return np.asarray(leaning / leaning.sum(axis=1, keepdims=True))


async def run(client: AppClient, wish: Wish, reporter: Reporter) -> None:
    """Log decisions and what came of them."""
    metric = await sync_to_async(metric_of)(
        wish, "click-rate", "Click rate", MetricKind.PROPORTION, "Item Clicked", DisplayUnit.PERCENT
    )
    await sync_to_async(started)(
        wish,
        Draft(
            kind=ExperimentKind.OFF_POLICY,
            name="What would the new chooser earn?",
            hypothesis="Choosing by device brings more clicks.",
            variants=(("logged", "Chooser in use"), ("new-model", "New chooser")),
            design=OffPolicyDesign(decision_event=DECISION + wish.apart, window_hours=1),
            unit_type=UnitType.USER,
            metric=metric,
        ),
    )
    random = np.random.default_rng(wish.seed)
    policy = candidate(wish.effect)
    events = []
    for number in range(wish.size):
        context = int(random.integers(len(CONTEXTS)))
        action = int(random.choice(4, p=LOGGING[context]))
        # The last hours are left free: a reward must have its time before the planned end.
        at = wish.start + timedelta(seconds=float(random.random()) * (wish.days * 86_400 - 7_200))
        said = {
            "decision_id": f"{wish.key}-{wish.seed}-{number}",
            "context": CONTEXTS[context],
            "action": f"banner-{action}",
            "propensity": float(LOGGING[context, action]),
            "target_propensity": {"new-model": float(policy[context, action])},
        }
        name, user = f"{wish.key}-{wish.seed}-{number}", f"shopper-{number // 3}"
        events.append(event(DECISION + wish.apart, at, f"{name}-decision", said, user=user))
        if random.random() < RATES[context, action]:
            clicked = {"decision_id": said["decision_id"]}
            events.append(event("Item Clicked", at + timedelta(seconds=40), f"{name}-click", clicked, user=user))
    await send(client, events, reporter, "decisions and clicks")


def truths(wish: Wish, results: Results) -> list[Truth]:
    """Return the candidate's exact value and its gain beside what is reported."""
    value = float((candidate(wish.effect) * RATES).sum(axis=1).mean())
    gain = value - float((LOGGING * RATES).sum(axis=1).mean())
    found = results.off_policy
    estimates = found.policies[0].estimates if found is not None else []
    return [
        *(Truth(name=f"value, {one.method}", truth=value, value=one.value, interval=one.interval) for one in estimates),
        *(
            Truth(name=f"gain, {one.method}", truth=gain, value=one.difference, interval=one.difference_interval)
            for one in estimates
        ),
    ] or [Truth(name="value", truth=value, value=None, interval=None)]
