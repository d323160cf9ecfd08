import asyncio
import json
from datetime import timedelta

import pytest
import redis
from django.conf import settings

from events import stream
from events.row import Door
from events.watch import KEPT_REFUSALS, MOST_NAMES, OTHER_NAMES, Refusal, Watch, shown
from tests.events.builders import KEY, NOW, PROJECT, call, track


@pytest.fixture(autouse=True)
def empty_valkey():
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    yield
    client.flushdb()
    client.close()


def watched(work, now=NOW):
    """Let doors work with a watch, and pass on what it gathered."""
    watch = Watch(settings.REDIS_URL, now=lambda: now)

    async def main():
        watch.start(asyncio.get_running_loop())
        await watch.stop()

    work(watch)
    asyncio.run(main())


def refusal(snippet=b"{}", **fields):
    made = {"at": NOW, "door": 0, "environment": 0, "code": "c", "message": "m", "message_id": None}
    return Refusal(snippet=snippet, **{**made, **fields})


def test_accepted__events_of_several_processes__are_added_up_by_name_and_minute():
    for _ in range(2):
        watched(lambda watch: call({"batch": [track("A"), track("A"), track("B")]}, watch=watch))
    rates = stream.arrivals(PROJECT, NOW + timedelta(minutes=1)).rates
    assert [(rate.name, rate.last_minute, rate.recent) for rate in rates.by_name] == [("A", 4, 4), ("B", 2, 2)]
    assert rates.last_minute == 6
    assert sum(rates.per_minute) == 6


def test_accepted__of_another_environment__is_named_so():
    watched(lambda watch: call(track("A"), path="/v1/track", headers={"x-api-key": "tl_staging"}, watch=watch))
    (rate,) = stream.arrivals(PROJECT, NOW).rates.by_name
    assert rate.name == "A (staging)"


def test_accepted__names_without_end__are_counted_together():
    watched(lambda watch: watch.accepted(PROJECT, 0, {f"n{number}": 1 for number in range(MOST_NAMES + 30)}))
    (other,) = [rate for rate in stream.arrivals(PROJECT, NOW).rates.by_name if rate.name == OTHER_NAMES]
    assert other.recent == 30


def test_refused__is_kept_with_its_reason_and_how_it_began():
    watched(lambda watch: call({"batch": [track(), track(userId=..., messageId="m-9")]}, watch=watch))
    (kept,) = stream.arrivals(PROJECT, NOW).refused
    assert (kept.code, kept.message_id, kept.door, kept.environment) == (
        "missing_unit", "m-9", "Segment", "production",
    )  # fmt: skip
    assert kept.snippet.startswith('{"type": "track"')


def test_refused__whole_body_of_a_known_key__is_kept():
    watched(lambda watch: call(b"nonsense", watch=watch))
    (kept,) = stream.arrivals(PROJECT, NOW).refused
    assert (kept.code, kept.snippet) == ("invalid_json", "nonsense")


def test_refused__request_of_an_unknown_key__is_shown_to_nobody():
    watched(lambda watch: call({"batch": [track()], "writeKey": "tl_unknown"}, headers={}, watch=watch))
    client = redis.Redis.from_url(settings.REDIS_URL)
    assert client.keys("*") == []
    client.close()


def test_refused__more_than_is_kept__leaves_the_newest():
    def work(watch):
        for number in range(KEPT_REFUSALS + 20):
            watch.refused(PROJECT, refusal(message=str(number)))

    watched(work)
    watched(lambda watch: watch.refused(PROJECT, refusal(message="last")))
    kept = stream.arrivals(PROJECT, NOW).refused
    assert kept[0].message == "last"
    client = redis.Redis.from_url(settings.REDIS_URL)
    assert client.llen(f"truelift:events:refused:{PROJECT}") == KEPT_REFUSALS
    client.close()


@pytest.mark.parametrize(
    "snippet",
    [
        b'{"writeKey":"%s","event":5}' % (KEY * 8).encode(),
        b'{"api_key": "phc_abcdefghij", "event": 5}',
        b'{"properties":{"password":"hunter2"}}',
        b"x tl_l5zfM1X_Gwa4bSEPYp2hPXyfo4lfksdwCy0l9LItry4 y",
        b"y" * 390 + b"tl_l5zfM1X_Gwa4bSEPYp2hPXyfo4lfksdwCy0l9LItry4",
        b'{"token":"' + b"s" * 3000,
    ],
)
def test_snippet__holds_no_key_and_no_password(snippet):
    text = shown(refusal(snippet)).snippet
    for secret in ("tl_good", "phc_", "hunter2", "l5zfM1X", "sss"):
        assert secret not in text


def test_snippet__of_a_large_event__is_cut():
    assert len(shown(refusal(b"x" * 10_000)).snippet) <= 401
    assert json.dumps(shown(refusal(b"\xff\x00\x80")).snippet)


def test_valkey_away__doors_work_and_the_page_learns_that_it_is(settings):
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    watched(lambda watch: watch.accepted(PROJECT, 0, {"A": 1}))
    assert stream.arrivals(PROJECT, NOW) is None


def test_doors__have_names_for_people():
    assert {stream._DOORS[door] for door in Door} == {
        "Segment", "SDK plugin", "PostHog", "CloudEvents", "Evaluation", "Import",
    }  # fmt: skip
