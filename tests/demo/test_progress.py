"""Long steps say how far they are: a line now and then in a log."""

from config.demo import progress
from config.demo.progress import Reporter


def test_step__in_a_log__ends_with_its_count_and_time():
    said: list[str] = []
    with Reporter(said.append).step("events", 1_500) as advance:
        for _ in range(3):
            advance(500)
    [line] = said
    assert line.startswith("  events: 1,500 in ")


def test_step__that_takes_long__speaks_in_between(monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    said: list[str] = []
    with Reporter(said.append).step("events", 3) as advance:
        advance(1)
        advance(2)
    assert said[0] == "  events: 1 of 3"
    assert len(said) == 2


def test_step__that_fails__does_not_claim_to_be_done():
    said: list[str] = []
    try:
        with Reporter(said.append).step("events", 3) as advance:
            advance(1)
            raise OSError
    except OSError:
        pass
    assert said == []


def test_step__on_a_terminal__draws_a_bar(capsys):
    with Reporter(print, terminal=True).step("events", 3) as advance:
        advance(3)
    assert "3/3" in capsys.readouterr().out
