"""What the set-up's forms send, whole and valid, to change one field of."""

from typing import Any

from experiments.models import Metric

HYPOTHESIS = "If we rank by ranker v2, the purchase rate rises, because it knows the season."


def why(**changes: Any) -> dict[str, Any]:
    return {"name": "New ranker", "key": "new-ranker", "hypothesis": HYPOTHESIS, **changes}


def who(*clauses: tuple[str, str, str, str], **changes: Any) -> dict[str, Any]:
    names = ("joiner", "attribute", "op", "value")
    cells = {f"targeting-{i}-{n}": text for i, row in enumerate(clauses) for n, text in zip(names, row, strict=True)}
    counts = {
        "targeting-TOTAL_FORMS": str(len(clauses)), "targeting-INITIAL_FORMS": "0",
        "needs-TOTAL_FORMS": "1", "needs-INITIAL_FORMS": "0",
    }  # fmt: skip
    audience = {"environments": ["production", "staging", "development"], "respects_holdout": "on"}
    return {"unit_type": "user", "traffic": "100", **audience, **counts, **cells, **changes}


def what(**changes: Any) -> dict[str, Any]:
    return {
        "variants-TOTAL_FORMS": "4", "variants-INITIAL_FORMS": "0",
        "variants-0-name": "Control", "variants-0-key": "control", "variants-0-weight": "33.34",
        "variants-1-name": "Ranker v2", "variants-1-key": "", "variants-1-weight": "33.33",
        "variants-2-name": "", "variants-2-key": "", "variants-2-weight": "", "variants-2-value": "",
        "variants-3-name": "Ranker v3", "variants-3-weight": "33.33", "variants-3-value": '{"model": "v3"}',
        "page_address": "https://shop.example/search", **changes,
    }  # fmt: skip


def how(primary: Metric, guardrail: Metric, **changes: Any) -> dict[str, Any]:
    return {
        "planned_days": "21", "matters": "1.5", "adjusted": "no", "primary": str(primary.pk),
        "guardrails-TOTAL_FORMS": "2", "guardrails-INITIAL_FORMS": "0",
        "guardrails-0-metric": str(guardrail.pk), "guardrails-0-margin": "2.5",
        "guardrails-1-metric": "", "guardrails-1-margin": "", **changes,
    }  # fmt: skip
