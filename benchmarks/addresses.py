"""The address of every page of the large project, from the URL conf, so that none goes unmeasured.

    python -m benchmarks.addresses [--project portfolio]

Prints one JSON list of pairs, a route's name and one address for each thing that it could be about. What is fetched by
pages themselves is among them. ``benchmarks.page`` asks for all of them, and leaves out what answers no page.
"""

import argparse
import json
import os
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

STEPS, CHAPTERS = ("why", "who", "what", "how"), ("reading-results",)
DOWNLOADS = frozenset({"results_csv", "results_json", "results_pdf", "results_notebook"})


def addresses(slug: str) -> Iterator[tuple[str, str]]:
    """Yield each route's name with its addresses."""
    from django.urls import NoReverseMatch, reverse

    from experiments.models import Project

    home = Project.objects.get(slug=slug)
    words = things(home)
    for name, pattern in routes():
        if name in DOWNLOADS or name == "sign_out":
            continue
        parts = pattern.split("/")
        asked = {part.rstrip(">").split(":")[1]: before for before, part in pairwise(parts) if part.startswith("<")}
        fixed = {"project_slug": slug} if asked.pop("project_slug", None) else {}
        names = list(asked)
        known = [words.get(asked[word] if word == "key" else word, []) for word in names]
        fixed |= {word: values[0] for word, values in zip(names[1:], known[1:], strict=True) if values}
        for value in known[0] if known else [None]:
            try:
                yield name, reverse(name, kwargs={names[0]: value, **fixed} if names else fixed)
            except NoReverseMatch:
                continue


def things(home: Any) -> dict[str, list[Any]]:
    """Return what can stand in an address: of experiments one to decide about, one that runs and a draft."""
    from analysis.models import Alert, Digest, OutboxMessage, Portfolio, Recipient, ResultSnapshot, Webhook
    from benchmarks.portfolio import to_decide
    from experiments.models import Experiment, ModelVersion

    of_project: Any = {"project": home}
    mine = Experiment.objects.filter(**of_project)
    chosen = to_decide(home)
    running = mine.filter(status="running", kind="standard", standing__isnull=False).first()
    draft = mine.filter(status="draft").first()
    designed = mine.filter(kind__in=("holdout", "holdback"))
    models = ModelVersion.objects.filter(**of_project)
    rows: dict[str, Any] = {
        "alert_id": Alert.objects.filter(**of_project), "digest_id": Digest.objects.filter(experiment=chosen),
        "message_id": OutboxMessage.objects.filter(**of_project),
        "portfolio_id": Portfolio.objects.filter(**of_project),
        "recipient_id": Recipient.objects.filter(**of_project), "webhook_id": Webhook.objects.filter(**of_project),
        "snapshot_id": ResultSnapshot.objects.filter(experiment=chosen), "version_id": models.filter(name="model-0"),
        "note_id": chosen.notes, "link_id": chosen.share_links, "override_id": chosen.overrides,
        "run_id": chosen.refresh_runs, "rule_id": home.flags.get(key="flag-0").rules,
    }  # fmt: skip
    measured = (chosen, running, draft, *designed.order_by("kind")[:1])
    return {
        **{name: list(found.values_list("pk", flat=True)[:1]) for name, found in rows.items()},
        "simulator": [chosen.key], "experiments": [one.key for one in measured if one is not None],
        "flags": ["flag-0"], "metrics": ["m0"], "metric_key": ["m0"], "segments": ["segment-0"], "kind": ["bandit"],
        "holdout": list(designed.filter(kind="holdout").values_list("key", flat=True)[:1]),
        "step": list(STEPS), "name": ["ranker", *CHAPTERS],
        "token": list(tokens(home, chosen)),
    }  # fmt: skip


def tokens(home: Any, chosen: Any) -> Iterator[str]:
    """Yield a token for each page that needs one in place of an account."""
    from django.utils import timezone

    from analysis import sharing
    from analysis.models import Digest, Recipient
    from experiments import members
    from experiments.models import Invitation

    yield Digest.objects.filter(project=home).values_list("token", flat=True)[0]
    yield Recipient.objects.filter(project=home).values_list("token", flat=True)[0]
    yield members.token_of(Invitation.objects.filter(project=home)[0])
    yield sharing.share(chosen, chosen.owner, "A page to measure", 7, timezone.now(), snapshot=None)[1]


def routes() -> Iterator[tuple[str, str]]:
    """Yield the name and the pattern of every address but the API's."""
    from django.urls import URLPattern, URLResolver, get_resolver

    def walk(patterns: Any, before: str) -> Iterator[tuple[str, str]]:
        for one in patterns:
            if isinstance(one, URLResolver):
                yield from walk(one.url_patterns, before + str(one.pattern))
            elif isinstance(one, URLPattern) and one.name:
                yield one.name, before + str(one.pattern)

    yield from (pair for pair in walk(get_resolver().url_patterns, "") if not pair[1].startswith("api/"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", default="portfolio")
    options = parser.parse_args()
    import django

    django.setup()
    print(json.dumps(list(addresses(options.project))))


if __name__ == "__main__":
    main()
