"""A thin client for Python apps: evaluation in the process, by the same engine that the server runs.

    from assignment.client import Client

    with Client("http://localhost:8000", "tl_…") as truelift:
        decision = truelift.decide("new-ranker", "user-17", country="SE")
        items = ranker(decision.value).rank(…)
        truelift.expose(decision)
        truelift.track("Order Completed", "user-17", revenue=42.0)

The definition is fetched once and kept fresh in the background; a decision takes microseconds and no network.
Nothing here imports Django. A training job registers what it made with one call:

    from assignment.client import register_model

    register_model("ranker", "v9", parent="v8", metrics={"NDCG@10": 0.452}, url="http://localhost:8000", key="tl_…")
"""

from assignment.client.blocks import block_id
from assignment.client.client import Client
from assignment.client.decision import Decision
from assignment.client.definition import ClientError
from assignment.client.drafting import Draft, team_draft
from assignment.client.registering import register_model

__all__ = ["Client", "ClientError", "Decision", "Draft", "block_id", "register_model", "team_draft"]
