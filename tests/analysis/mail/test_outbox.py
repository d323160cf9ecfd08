import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from analysis.mail import digests, queueing
from analysis.models import Digest, OutboxMessage
from analysis.outbox import sending
from experiments.domain.lifecycle import Status
from experiments.models import Experiment
from tests import builders
from tests.analysis.mail.conftest import DAILY, Sink, digest, free_port
from tests.builders import T0

NOW = T0 + timedelta(minutes=1)
State = OutboxMessage.State


def queued(ranker: Experiment, **fields) -> OutboxMessage:
    builders.snapshot(ranker)
    digest(ranker, **fields)
    assert queueing.queue_due(NOW) == 1
    return OutboxMessage.objects.get()


def test_queue_due__what_is_due__becomes_one_message_and_moves_on(ranker):
    made = digest(ranker, time_zone="UTC")
    stored = builders.snapshot(ranker)
    assert queueing.queue_due(NOW) == 1
    message = OutboxMessage.objects.get()
    made.refresh_from_db()
    assert (message.digest, message.due_at, message.snapshot) == (made, T0, stored)
    assert made.next_due_at == (T0 + timedelta(days=1)).replace(hour=8)


def test_queue_due__run_twice__writes_once(ranker):
    queued(ranker)
    assert queueing.queue_due(NOW) == 0
    assert OutboxMessage.objects.count() == 1


def test_queue_due__not_due_yet__writes_nothing(ranker):
    digest(ranker, due=NOW + timedelta(seconds=1))
    assert queueing.queue_due(NOW) == 0


def test_queue_due__after_two_weeks_of_outage__writes_one_message(ranker):
    digest(ranker)
    late = T0 + timedelta(days=14)
    assert [queueing.queue_due(late), queueing.queue_due(late + timedelta(minutes=1))] == [1, 0]


def test_queue_due__a_stopped_experiment__tells_the_end_once(shop):
    stopped = builders.experiment(shop, status=Status.STOPPED)
    builders.snapshot(stopped)
    digest(stopped)
    sent = [queueing.queue_due(NOW + timedelta(days=day)) for day in range(4)]
    assert sent == [1, 0, 0, 0]


def test_queue_due__one_digest_that_cannot_be_written__keeps_none_back(ranker, caplog):
    broken = builders.experiment(ranker.project, "broken")
    from analysis.models import ResultSnapshot

    ResultSnapshot.objects.create(experiment=broken, as_of=T0, engine_version="1", payload={"schema": 0})
    digest(broken)
    digest(ranker)
    assert queueing.queue_due(NOW) == 1
    assert OutboxMessage.objects.get().digest.experiment == ranker
    assert "cannot be written" in caplog.text


def test_queue_due__older_message_still_waiting__gives_way_to_the_newer(ranker):
    first = queued(ranker)
    queueing.queue_due(NOW + timedelta(days=1))
    first.refresh_from_db()
    assert first.state == State.FAILED
    assert "newer message" in first.error


def test_queue_now__clicked_twice__writes_once_and_leaves_the_schedule(ranker):
    made = digest(ranker, due=T0 + timedelta(days=1))
    assert queueing.queue_now(made, NOW) == queueing.queue_now(made, NOW)
    made.refresh_from_db()
    assert made.next_due_at == T0 + timedelta(days=1)


def test_deliver__to_a_real_server__arrives_with_text_html_and_pictures(ranker, sink: Sink):
    message = queued(ranker)
    assert sending.deliver_waiting(NOW) == 1
    (mail,) = sink.arrived
    assert mail["Subject"] == "New ranker: Click-through rate is up, but pages are slower and revenue did not move."
    assert mail["To"] == "ada@example.com"
    assert mail.get_content_type() == "multipart/alternative"
    text, related = mail.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert related.get_content_type() == "multipart/related"
    html, *pictures = related.iter_parts()
    assert html.get_content_type() == "text/html"
    assert [picture.get_content_type() for picture in pictures] == ["image/png"] * 4
    for picture in pictures:
        assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in html.get_content()
        assert picture.get_content().startswith(b"\x89PNG")
        assert picture.get_content_disposition() == "inline"
    address = f"/p/shop/experiments/new-ranker/results/{message.snapshot_id}/"
    assert address in text.get_content()
    assert address in html.get_content()


def test_deliver__carries_one_click_unsubscribe(ranker, sink: Sink, settings):
    settings.BASE_URL = "https://experiments.a-company-with-a-rather-long-name.example.com"
    message = queued(ranker)
    sending.deliver_waiting(NOW)
    (mail,) = sink.arrived
    assert mail["List-Unsubscribe"] == f"<{settings.BASE_URL}/unsubscribe/{message.digest.token}/>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Message-ID"] == message.message_id
    assert mail["Auto-Submitted"] == "auto-generated"


def test_deliver__a_long_subject_beyond_ascii__arrives_as_written(shop, sink: Sink):
    name = "Größere Bilder im Katalog für wiederkehrende Kundinnen und Kunden, zweiter Anlauf"
    message = queued(builders.experiment(shop, "bilder", name=name))
    sending.deliver_waiting(NOW)
    assert sink.arrived[0]["Subject"] == message.subject
    assert message.subject.startswith(name)


def test_deliver__run_twice__sends_once(ranker, sink: Sink):
    message = queued(ranker)
    assert [sending.deliver_waiting(NOW), sending.deliver_waiting(NOW)] == [1, 0]
    message.refresh_from_db()
    assert (message.state, message.sent_at, message.attempts) == (State.SENT, NOW, 1)
    assert len(sink.arrived) == 1


def test_deliver__several_messages__go_over_one_connection(ranker, sink: Sink):
    builders.snapshot(ranker)
    for name in ("ada", "bob", "cleo"):
        digest(ranker, f"{name}@example.com")
    assert queueing.queue_due(NOW) == 3
    assert sending.deliver_waiting(NOW) == 3
    assert sorted(mail["To"] for mail in sink.arrived) == ["ada@example.com", "bob@example.com", "cleo@example.com"]


@pytest.mark.django_db(transaction=True)
def test_deliver__two_workers_at_once__send_once(sink: Sink):
    ranker = builders.experiment(builders.project("shop"))
    queued(ranker)
    start = threading.Barrier(2)

    def work() -> None:
        start.wait()
        sending.deliver_waiting(NOW)
        connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(sink.arrived) == 1
    assert OutboxMessage.objects.get().attempts == 1


@pytest.mark.django_db(transaction=True)
def test_queue_due__two_schedulers_at_once__write_once(embedded_servers):
    digest(builders.experiment(builders.project("shop")))
    start = threading.Barrier(2)
    counts = []

    def work() -> None:
        start.wait()
        counts.append(queueing.queue_due(NOW))
        connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(counts) == [0, 1]
    assert OutboxMessage.objects.count() == 1


def test_deliver__server_down__waits_longer_each_time_and_then_arrives(ranker, mail_server, request):
    mail_server(free_port())
    message = queued(ranker)
    assert sending.deliver_waiting(NOW) == 0
    message.refresh_from_db()
    assert (message.state, message.attempts, message.not_before) == (State.WAITING, 1, NOW + timedelta(minutes=1))
    assert "cannot be reached" in message.error
    assert sending.deliver_waiting(NOW + timedelta(seconds=59)) == 0
    sink = request.getfixturevalue("sink")
    assert sending.deliver_waiting(NOW + timedelta(minutes=1)) == 1
    message.refresh_from_db()
    assert (message.state, message.error, len(sink.arrived)) == (State.SENT, "", 1)


def test_deliver__server_down__is_found_out_by_one_message_and_not_by_each(ranker, mail_server):
    mail_server(free_port())
    builders.snapshot(ranker)
    for name in ("ada", "bob", "cleo"):
        digest(ranker, f"{name}@example.com")
    queueing.queue_due(NOW)
    sending.deliver_waiting(NOW)
    assert sorted(OutboxMessage.objects.values_list("attempts", flat=True)) == [0, 0, 1]


def test_deliver__server_down_for_good__is_given_up_and_says_so(ranker, mail_server):
    mail_server(free_port())
    message = queued(ranker)
    for _ in range(sending.MOST_ATTEMPTS):
        message.refresh_from_db()
        sending.deliver_waiting(message.not_before)
    message.refresh_from_db()
    assert message.state == State.FAILED
    assert message.error.startswith("Given up after 8 attempts.")


def test_deliver__recipient_unknown_to_the_server__fails_for_good(ranker, sink: Sink):
    sink.recipient_answer = "550 no such person"
    message = queued(ranker)
    sending.deliver_waiting(NOW)
    message.refresh_from_db()
    assert message.state == State.FAILED
    assert "550 no such person" in message.error


@pytest.mark.parametrize("greylisted", ["recipient_answer", "data_answer"])
def test_deliver__server_asks_for_later__tries_again(ranker, sink: Sink, greylisted: str):
    setattr(sink, greylisted, "451 try again later")
    message = queued(ranker)
    sending.deliver_waiting(NOW)
    message.refresh_from_db()
    assert (message.state, message.attempts) == (State.WAITING, 1)
    assert "451 try again later" in message.error


def test_deliver__connection_lost_after_the_message__is_not_sent_again(ranker, sink: Sink):
    sink.hang_up_after_data = True
    message = queued(ranker)
    sending.deliver_waiting(NOW)
    sink.hang_up_after_data = False
    sending.deliver_waiting(NOW + timedelta(days=1))
    message.refresh_from_db()
    assert message.state == State.FAILED
    assert message.error.startswith("It is not known whether this message arrived")
    assert len(sink.arrived) == 1


def test_deliver__worker_died_while_sending__is_marked_and_not_sent_again(ranker, sink: Sink):
    message = queued(ranker)
    OutboxMessage.objects.update(state=State.SENDING, not_before=NOW + sending.CLAIM_HOLDS)
    sending.deliver_waiting(NOW + sending.CLAIM_HOLDS - timedelta(seconds=1))
    message.refresh_from_db()
    assert message.state == State.SENDING
    sending.deliver_waiting(NOW + sending.CLAIM_HOLDS)
    message.refresh_from_db()
    assert message.state == State.FAILED
    assert "not known whether" in message.error
    assert sink.arrived == []


def test_deliver__without_a_mail_server__keeps_it_readable(ranker):
    message = queued(ranker)
    assert sending.deliver_waiting(NOW) == 0
    message.refresh_from_db()
    assert message.state == State.KEPT


def test_deliver__after_the_digest_was_stopped__sends_nothing(ranker, sink: Sink):
    message = queued(ranker)
    digests.stop(message.digest, None, "enough", NOW)
    assert sending.deliver_waiting(NOW) == 0
    message.refresh_from_db()
    assert (message.state, sink.arrived) == (State.FAILED, [])


def test_deliver__stopped_by_another_way_meanwhile__sends_nothing(ranker, sink: Sink):
    message = queued(ranker)
    Digest.objects.update(unsubscribed_at=NOW)
    assert sending.deliver_waiting(NOW) == 0
    message.refresh_from_db()
    assert (message.state, sink.arrived) == (State.FAILED, [])


def test_queue_due__a_stopped_experiment_without_results__says_so_once(shop):
    digest(builders.experiment(shop, status=Status.STOPPED))
    assert [queueing.queue_due(NOW + timedelta(days=day)) for day in range(3)] == [1, 0, 0]


def test_queue_due__the_final_message_failed__is_written_again(shop):
    stopped = builders.experiment(shop, status=Status.STOPPED)
    builders.snapshot(stopped)
    digest(stopped)
    queueing.queue_due(NOW)
    OutboxMessage.objects.update(state=State.FAILED)
    assert queueing.queue_due(NOW + timedelta(days=1)) == 1


def test_back_off__grows_to_its_limit():
    waits = [sending.back_off(attempt) for attempt in range(1, 9)]
    assert waits[:3] == [timedelta(minutes=1), timedelta(minutes=4), timedelta(minutes=16)]
    assert waits[-1] == timedelta(hours=6)


def test_tasks__run_twice__send_once(ranker, sink: Sink, monkeypatch):
    from analysis.mail import tasks

    monkeypatch.setattr(tasks, "deliver_soon", lambda: None)
    builders.snapshot(ranker)
    digests.subscribe(ranker.project, ranker, "ada@example.com", DAILY, None, timezone.now() - timedelta(days=3))
    for task in (tasks.queue_due_digests, tasks.deliver_outbox) * 2:
        task()
    assert len(sink.arrived) == 1


def test_tasks__bear_the_names_of_the_schedule():
    from analysis.mail import tasks
    from config.schedule import SCHEDULE

    scheduled = {entry["task"] for entry in SCHEDULE.values()}
    assert {tasks.queue_due_digests.name, tasks.deliver_outbox.name} <= scheduled
