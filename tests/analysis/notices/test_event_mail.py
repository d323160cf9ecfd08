from datetime import timedelta

from analysis.mail import tasks
from analysis.notices import testing
from analysis.notices.addressing import address_new
from analysis.notices.gathering import write_messages
from analysis.notices.kinds import OccurrenceKind
from analysis.outbox import sending
from config.schedule import SCHEDULE
from tests import builders
from tests.analysis.mail.conftest import Sink
from tests.analysis.notices.conftest import SOON, happened, messages, reader
from tests.builders import T0


def arrive(sink: Sink):
    address_new(T0)
    write_messages(SOON)
    sending.deliver_waiting(SOON)
    (mail,) = sink.arrived
    return mail


def test_ready__arrives_with_the_results_table_and_pictures(ranker, shop, sink: Sink):
    reader(shop, time_zone="Asia/Tokyo")
    happened(ranker, OccurrenceKind.READY, snapshot=builders.snapshot(ranker), sentence="Clicks rose.")
    mail = arrive(sink)
    assert mail["Subject"] == "New ranker: Clicks rose."
    html = mail.get_body(("html",)).get_content()
    for words in ("Click-through rate", "+5.6%", "Better", "18:00 (Asia/Tokyo)"):
        assert words in html
    pictures = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert len(pictures) == 4


def test_broken__arrives_without_a_reading(ranker, shop, sink: Sink):
    reader(shop)
    happened(ranker, OccurrenceKind.ENDED, snapshot=builders.snapshot(ranker, builders.broken_results(ranker)))
    text = arrive(sink).get_body(("plain",)).get_content()
    assert "The readings are withheld" in text
    assert "+5.6%" not in text


def test_event_mail__ends_with_one_click(ranker, shop, sink: Sink):
    ada = reader(shop)
    happened(ranker)
    mail = arrive(sink)
    assert mail["List-Unsubscribe"].endswith(f"/preferences/{ada.token}/unsubscribe/>")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_names_from_people__are_escaped(ranker, shop, sink: Sink):
    reader(shop)
    happened(ranker, sentence="<script>alert(1)</script> & co")
    mail = arrive(sink)
    assert "<script>" not in mail.get_body(("html",)).get_content()
    assert "<script>alert(1)</script> & co" in mail.get_body(("plain",)).get_content()


def test_test__twice_within_a_minute__is_one_mail(shop, sink: Sink):
    ada = reader(shop)
    assert testing.mail(ada, T0) == testing.mail(ada, T0 + timedelta(seconds=30))
    assert sending.deliver_waiting(T0) == 1
    assert sink.arrived[0]["Subject"] == "This is a test: messages from Truelift arrive here."


def test_test__after_unsubscribing__arrives_all_the_same(shop, sink: Sink):
    ada = reader(shop, unsubscribed_at=T0)
    testing.mail(ada, T0)
    assert sending.deliver_waiting(T0) == 1


def test_tasks__run_twice__tell_once(ranker, shop, sink: Sink, monkeypatch):
    monkeypatch.setattr(tasks, "deliver_soon", lambda: None)
    reader(shop)
    happened(ranker)
    address_new(T0)
    for task in (tasks.tell_people, tasks.watch_for_silence, tasks.deliver_outbox) * 2:
        task()
    assert len(sink.arrived) == len(messages()) == 1


def test_tasks__bear_the_names_of_the_schedule():
    scheduled = {entry["task"] for entry in SCHEDULE.values()}
    assert {tasks.tell_people.name, tasks.watch_for_silence.name} <= scheduled
