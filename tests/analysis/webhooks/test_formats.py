import json
from datetime import timedelta

from analysis.notices.told import Gathered, Told
from analysis.webhooks import generic, slack, teams
from tests.builders import T0

TOLD = Told(
    kind="guardrail-crossed",
    title="Guardrail crossed",
    sentence="Page latency is +4.6% with Treatment, beyond its limit of +2.0%.",
    explanation="Seen on day 3.",
    next_step="Turn it off.",
    severity="urgent",
    tone="bad",
    facts=(("Status", "Running, day 3 of 14"), ("Exposed", "12,034 users")),
    url="https://truelift.example.com/p/shop/experiments/new-ranker/results/",
    link="Open the results",
    project="Shop & Co",
    experiment="New <ranker>",
    experiment_key="new-ranker",
    happened_at=T0,
    occurrence=7,
)
MANY = Gathered(
    title="30 things happened in Shop",
    why="They happened close together.",
    project="Shop",
    url="https://truelift.example.com/p/shop/",
    entries=tuple([TOLD] * 30),
)


def test_slack__has_what_block_kit_asks_for_and_no_markup_from_people():
    made = slack.payload(TOLD)
    assert made["text"].startswith("New &lt;ranker&gt;: Page latency")
    header, section, fields, link, context = made["blocks"]
    assert header["text"] == {
        "type": "plain_text",
        "text": "! New <ranker>: Page latency is +4.6% with Treatment, beyond its limit of +2.0%.",
    }
    assert section["text"]["text"] == "Seen on day 3. *Next:* Turn it off."
    assert fields["fields"][0]["text"] == "*Status*\nRunning, day 3 of 14"
    assert link["text"]["text"] == f"<{TOLD.url}|Open the results>"
    assert context["elements"][0]["text"] == "Guardrail crossed · Shop &amp; Co · 2 Mar 2026, 09:00 UTC"


def test_slack__stays_within_its_limits():
    long = Told(**{**fields_of(TOLD), "sentence": "x" * 290, "facts": (("l", "f" * 5000),) * 20})
    for message in (long, MANY):
        blocks = slack.payload(message)["blocks"]
        assert len(blocks) <= 50
        for block in blocks:
            if block["type"] == "header":
                assert len(block["text"]["text"]) <= 150
            assert all(len(one["text"]) <= 2000 for one in block.get("fields", []))
            assert len(block.get("fields", [])) <= 10
    assert "x" * 290 in json.dumps(slack.payload(long)["blocks"])


def fields_of(told: Told) -> dict[str, object]:
    return {name: getattr(told, name) for name in told.__dataclass_fields__}


def test_slack__of_many__says_how_many_more():
    assert "and 15 more" in json.dumps(slack.payload(MANY))


def test_teams__is_a_card_in_the_envelope_that_a_workflow_takes():
    made = teams.payload(TOLD)
    assert made["type"] == "message"
    (attachment,) = made["attachments"]
    card = attachment["content"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert card["body"][0]["style"] == "attention"
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Open the results", "url": TOLD.url}]
    assert {"title": "Exposed", "value": "12,034 users"} in card["body"][2]["facts"]


def test_teams__names_from_people_are_no_markdown_and_it_stays_below_28_kb():
    made = teams.payload(Told(**{**fields_of(TOLD), "experiment": "[x](https://evil.example.com) *b*"}))
    assert r"\[x\]\(https" in made["attachments"][0]["content"]["body"][0]["items"][0]["text"]
    assert len(json.dumps(teams.payload(MANY))) < 28_000


def test_generic__has_type_timestamp_and_data():
    assert generic.payload(TOLD) == {
        "type": "guardrail-crossed",
        "timestamp": "2026-03-02T09:00:00Z",
        "data": {
            "title": "Guardrail crossed",
            "sentence": "Page latency is +4.6% with Treatment, beyond its limit of +2.0%.",
            "explanation": "Seen on day 3.",
            "next_step": "Turn it off.",
            "severity": "urgent",
            "tone": "bad",
            "facts": [
                {"label": "Status", "text": "Running, day 3 of 14"}, {"label": "Exposed", "text": "12,034 users"},
            ],
            "experiment": {"key": "new-ranker", "name": "New <ranker>"},
            "project": "Shop & Co",
            "url": TOLD.url,
            "occurrence": 7,
        },
    }  # fmt: skip


def test_generic__of_many__holds_each_event_whole():
    later = Told(**{**fields_of(TOLD), "happened_at": T0 + timedelta(hours=1)})
    made = generic.payload(Gathered(title="2", why="w", project="Shop", url="u", entries=(TOLD, later)))
    assert (made["type"], made["timestamp"]) == ("summary", "2026-03-02T10:00:00Z")
    assert made["data"]["events"][0] == generic.payload(TOLD)
