"""An app as seen from outside: it asks for variants and sends events, with nothing but HTTP."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx


@dataclass
class Shop:
    """A shop under test: what it was told and what its shoppers did, so that a test can count for itself."""

    base_url: str
    key: str
    experiment: str
    exposed: Counter[str] = field(default_factory=Counter)
    buyers: Counter[str] = field(default_factory=Counter)
    revenue: dict[str, list[float]] = field(default_factory=dict)

    def visit(self, shoppers: range) -> None:
        """Have each shopper evaluated, exposed and shown a page, and buy by a rule that depends on the variant."""
        with httpx.Client(base_url=self.base_url, headers={"Authorization": f"Bearer {self.key}"}) as client:
            batch: list[dict[str, object]] = []
            for number in shoppers:
                batch += self._one(client, f"shopper-{number}", number)
            for start in range(0, len(batch), 400):
                answer = client.post("/v1/batch", json={"batch": batch[start : start + 400], "sentAt": _now()})
                assert answer.status_code == 200, answer.text
                assert answer.json()["refused"] == []

    def _one(self, client: httpx.Client, shopper: str, number: int) -> list[dict[str, object]]:
        body = {"context": {"targetingKey": shopper}}
        variant = client.post(f"/ofrep/v1/evaluate/flags/{self.experiment}", json=body).json()["variant"]
        self.exposed[variant] += 1
        exposure = {"experiment_id": self.experiment, "variation_id": variant}
        events = [
            self._event(shopper, "Experiment Viewed", exposure),
            self._event(shopper, "Product List Viewed", {"latency_ms": 100 + number % 50}),
        ]
        buys = number % 4 == 0 if variant == "treatment" else number % 8 == 0
        if buys:
            spent = 20.0 + number % 17
            self.buyers[variant] += 1
            self.revenue.setdefault(variant, []).append(spent)
            events.append(self._event(shopper, "Order Completed", {"revenue": spent, "currency": "EUR"}))
        return events

    def _event(self, shopper: str, name: str, properties: dict[str, object]) -> dict[str, object]:
        return {
            "type": "track",
            "userId": shopper,
            "event": name,
            "messageId": f"{self.experiment}:{shopper}:{name}",
            "timestamp": _now(),
            "properties": properties,
        }


def _now() -> str:
    return datetime.now(UTC).isoformat()
