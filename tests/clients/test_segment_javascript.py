"""Segment's Node library, pointed at Truelift by its host alone."""

from django.db import connection

EVENTS = 500


def stored(event: str) -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT user_id, props->>'revenue' FROM events_log WHERE name = %s ORDER BY user_id", [event])
        return cursor.fetchall()


def test_segment_node__five_hundred_events__are_stored_once_each(world, node, django_db_blocker):
    sent = [
        {
            "kind": "track",
            "userId": f"node-{number:03}",
            "event": "Order Completed",
            "properties": {"revenue": number + 0.5},
        }
        for number in range(EVENTS)
    ]
    assert node.run("segment.mjs", url=world.server.url, key=world.key, events=sent) == []
    with django_db_blocker.unblock():
        assert stored("Order Completed") == [(event["userId"], str(event["properties"]["revenue"])) for event in sent]


def test_segment_node__a_wrong_key__is_told_to_the_app(world, node, django_db_blocker):
    sent = [{"kind": "track", "userId": "u", "event": "Never Stored", "properties": {}}]
    failures = node.run("segment.mjs", url=world.server.url, key="tl_wrong", events=sent)
    assert len(failures) == 1
    with django_db_blocker.unblock():
        assert stored("Never Stored") == []
