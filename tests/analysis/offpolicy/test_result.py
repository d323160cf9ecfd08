"""From logged events to a result, and from there to the page, the API and the command."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse

from analysis.designed import readers
from analysis.models import ResultSnapshot
from analysis.offpolicy import result
from analysis.offpolicy.giving import FileRefusedError, give
from analysis.pipeline import NotStartedError
from analysis.results.latest import results_of
from analysis.results.schema import Reading
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.models import AuditEntry, Experiment
from tests import builders
from tests.analysis.offpolicy.files import open_bandit, toy, write
from tests.builders import T0

HOUR = timedelta(hours=1)


def evaluation(shop, source: str = "events", status: Status = Status.RUNNING, **fields) -> Experiment:
    metric = builders.metric(shop, "click-rate", event="Item Clicked", name="Click rate")
    design = {"source": source, "window_hours": 24, **fields.pop("design", {})}
    made = builders.experiment(
        shop, "would-it", kind=ExperimentKind.OFF_POLICY, design=design, primary=metric, status=status,
        planned_days=2, **fields,
    )  # fmt: skip
    made.variants.filter(position=1).update(key="new-model", name="New model")
    return made


def decide(shop, number: int, unit: str, *, at=T0, target: float | None = 0.4, **props) -> None:
    said = {"decision_id": f"d-{number}", "action": f"a{number % 2}", "propensity": 0.5, **props}
    if target is not None:
        said["target_propensity"] = {"new-model": target}
    builders.log(shop, "Decision Logged", unit, at=at, **said)


def log_of_a_better_candidate(shop, decisions: int = 400, at=T0) -> None:
    """Action 1 earns more; the candidate takes it in 90 % of cases and the policy that ran in half."""
    for number in range(decisions):
        good = number % 2
        decide(shop, number, f"u{number}", at=at, target=0.9 if good else 0.1)
        if (good and number % 5 == 1) or (not good and number % 20 == 0):
            builders.log(shop, "Item Clicked", f"u{number}", at=at + HOUR, decision_id=f"d-{number}")


class TestEvents:
    def test_result__a_clearly_better_candidate__is_worth_an_ab_test(self, shop):
        log_of_a_better_candidate(shop)
        found = result.read(evaluation(shop), T0 + timedelta(days=4))
        assert found is not None
        assert found.off_policy is not None
        (policy,) = found.off_policy.policies
        # 40 of 200 clicks on action 1, 20 of 200 on action 0: 0.9 × 0.2 + 0.1 × 0.1.
        assert policy.estimates[0].value == pytest.approx(0.19)
        assert found.off_policy.logged_value == pytest.approx(0.15)
        assert found.verdict.decision == "test it"
        assert found.metrics[0].comparisons[0].reading is Reading.BETTER
        assert "New model would have earned 26.7% more" in found.verdict.headline

    def test_result__before_the_planned_end__says_to_wait_and_calls_nothing(self, shop):
        log_of_a_better_candidate(shop)
        found = result.read(evaluation(shop), T0 + timedelta(days=1, hours=3))
        assert found is not None
        assert found.verdict.decision == "keep running"
        assert "day 2 of 2" in found.verdict.headline
        assert found.metrics[0].comparisons[0].reading is Reading.TOO_EARLY

    def test_result__decisions_whose_reward_may_still_come__do_not_count_yet(self, shop):
        log_of_a_better_candidate(shop, 60)
        decide(shop, 1000, "late", at=T0 + timedelta(hours=30))
        found = result.read(evaluation(shop), T0 + timedelta(hours=40))
        assert found is not None
        assert found.off_policy is not None
        assert found.off_policy.rows == 60

    def test_result__rewards_beyond_the_window_or_before_the_decision__do_not_count(self, shop):
        log_of_a_better_candidate(shop, 100)
        for number, late in ((3, 25 * HOUR), (5, -HOUR)):
            builders.log(shop, "Item Clicked", f"u{number}", at=T0 + late, decision_id=f"d-{number}")
        builders.log(shop, "Item Clicked", "u1", at=T0 + 2 * HOUR, decision_id="d-1")  # a second click of the same
        found = result.read(evaluation(shop), T0 + timedelta(days=4))
        assert found is not None
        assert found.off_policy is not None
        assert found.off_policy.logged_value == pytest.approx(0.15)

    def test_result__rewards_by_unit__belong_to_the_newest_decision_before_them(self, shop):
        for number in range(200):
            decide(shop, 2 * number, f"u{number}", target=0.2)
            decide(shop, 2 * number + 1, f"u{number}", at=T0 + HOUR, target=0.8)
            if number % 4 == 0:
                builders.log(shop, "Item Clicked", f"u{number}", at=T0 + 2 * HOUR)
        found = result.read(evaluation(shop, design={"reward_by": "unit"}), T0 + timedelta(days=4))
        assert found is not None
        assert found.off_policy is not None
        (policy,) = found.off_policy.policies
        assert policy.estimates[0].value == pytest.approx(0.8 * 0.25)  # all on the second decision, half of the rows

    def test_result__events_of_staging_and_of_other_projects__count_for_nothing(self, shop):
        log_of_a_better_candidate(shop, 100)
        decide(builders.project("another"), 7, "u7")
        builders.log(shop, "Decision Logged", "u8", environment=1, decision_id="d-8", propensity=0.5)
        found = result.read(evaluation(shop), T0 + timedelta(days=4))
        assert found is not None
        assert found.off_policy is not None
        assert found.off_policy.rows == 100

    def test_result__decisions_without_a_probability__are_refused_in_words(self, shop):
        log_of_a_better_candidate(shop, 100)
        decide(shop, 1000, "u", target=None)
        found = result.read(evaluation(shop), T0 + timedelta(days=4))
        assert found is not None
        assert found.verdict.decision == "not trustworthy"
        assert "1 of 101 rows" in found.verdict.explanation
        assert not found.health.trustworthy

    def test_result__nothing_logged__is_an_empty_state_and_no_error(self, shop):
        found = result.read(evaluation(shop), T0 + timedelta(days=4))
        assert found is not None
        assert "No decision has been logged" in found.verdict.headline

    def test_refresh__run_twice__writes_what_is_new_once(self, shop):
        log_of_a_better_candidate(shop, 100)
        tested = evaluation(shop)
        assert readers.refresh_if_due(tested, T0 + timedelta(days=3, hours=12)) is not None
        assert readers.refresh_if_due(tested, T0 + timedelta(days=3, hours=12, minutes=5)) is None  # not yet due
        assert readers.refresh_if_due(tested, T0 + timedelta(days=3, hours=14)) is None  # due, and nothing new
        assert ResultSnapshot.objects.count() == 1


def test_give__a_file__makes_a_result_and_says_who_gave_it(tmp_path, shop, alice):
    tested = evaluation(shop, "file")
    snapshot = give(tested, write(tmp_path / "log.csv", toy()), "log.csv", alice)
    found = results_of(snapshot)
    assert found.off_policy is not None
    assert (found.off_policy.source, found.off_policy.rows) == ("the file log.csv", 4000)
    assert found.verdict.decision == "test it"
    entry = AuditEntry.objects.get(action="experiment.decisions")
    assert (entry.user, entry.after) == (alice, {"file": "log.csv", "rows": 4000})


def test_give__open_bandit__withholds_nothing_and_warns_of_few_rewards(tmp_path, shop):
    found = results_of(give(evaluation(shop, "file"), write(tmp_path / "log.csv", open_bandit("men")), "men.csv", None))
    assert found.off_policy is not None
    (policy,) = found.off_policy.policies
    assert policy.effective == pytest.approx(656, abs=0.7)
    assert policy.effective_rewards == pytest.approx(15, abs=0.5)
    assert [check.ok for check in found.health.checks if check.key == "rewards"] == [False]
    assert found.health.trustworthy


def test_give__a_hopeless_candidate__is_refused_in_the_verdict(tmp_path, shop):
    rows = [[*row[:6], 0.5 if i < 30 else 0] for i, row in enumerate(toy())]
    found = results_of(give(evaluation(shop, "file"), write(tmp_path / "log.csv", rows), "log.csv", None))
    assert found.verdict.headline == "This log cannot say what New model would have earned."
    assert "worth" in found.verdict.explanation
    assert found.metrics[0].comparisons[0].value is None


@pytest.mark.parametrize("status", [Status.DRAFT, Status.STOPPED])
def test_give__not_running__is_refused(tmp_path, shop, status):
    with pytest.raises(FileRefusedError, match=status.value):
        give(evaluation(shop, "file", status), write(tmp_path / "log.csv", toy()), "log.csv", None)
    assert not ResultSnapshot.objects.exists()


def test_refresh__of_a_file__says_to_give_it(shop):
    with pytest.raises(NotStartedError, match="give it on the results page"):
        readers.refresh(evaluation(shop, "file"))


def address(name: str = "experiment_results") -> str:
    return reverse(name, args=["shop", "would-it"])


def given(rows, name: str = "log.csv") -> SimpleUploadedFile:
    text = "\n".join(",".join(map(str, row)) for row in [_header(), *rows])
    return SimpleUploadedFile(name, text.encode(), "text/csv")


def _header() -> list[object]:
    return ["decision_id", "unit", "context", "action", "propensity", "reward", "target_propensity.new-model"]


def test_page__a_given_file__shows_every_method_and_what_carries_them(
    client_of_alice, shop, django_assert_max_num_queries
):
    evaluation(shop, "file")
    response = client_of_alice.post(address("offpolicy_give"), {"decisions": given(toy())})
    assert response.status_code == 302
    with django_assert_max_num_queries(14):
        page = client_of_alice.get(address()).content.decode()
    for words in ("Worth an A/B test", "Self-normalised", "Doubly robust", "Inverse propensity", "worth", "By context"):
        assert words in page
    assert "weights-0" in page
    assert 'style="' not in page


def test_page__a_file_that_cannot_be_read__says_so_beside_the_form(client_of_alice, shop):
    evaluation(shop, "file")
    file = SimpleUploadedFile("odd.csv", b"a,b\n1,2\n", "text/csv")
    response = client_of_alice.post(address("offpolicy_give"), {"decisions": file})
    page = response.content.decode()
    assert response.status_code == 400
    assert "there is no column" in page
    assert "truelift-given" not in page
    assert client_of_alice.post(address("offpolicy_give")).status_code == 400


def test_page__a_refused_candidate__shows_no_value(client_of_alice, shop, tmp_path):
    tested = evaluation(shop, "file")
    rows = [[*row[:6], 0.5 if i < 30 else 0] for i, row in enumerate(toy())]
    give(tested, write(tmp_path / "log.csv", rows), "log.csv", None)
    page = client_of_alice.get(address()).content.decode()
    assert "No value is shown" in page
    assert "Self-normalised</" not in page


def test_give__a_viewer_and_a_stranger__may_not(client_of_bob, client_of_charlie, shop):
    evaluation(shop, "file")
    assert client_of_bob.post(address("offpolicy_give"), {"decisions": given(toy())}).status_code == 403
    assert client_of_charlie.post(address("offpolicy_give"), {"decisions": given(toy())}).status_code == 404
    assert 'type="file"' not in client_of_bob.get(address()).content.decode()
    assert client_of_charlie.get(address()).status_code == 404


def test_page__of_the_mail_and_the_list__read_the_same_result(client_of_alice, shop, tmp_path):
    tested = evaluation(shop, "file")
    give(tested, write(tmp_path / "log.csv", toy()), "log.csv", None)
    assert "Worth an A/B test" in client_of_alice.get(reverse("project_home", args=["shop"])).content.decode()
    assert client_of_alice.get(address("results_csv")).content.startswith(b"experiment,")


def test_command__prints_the_answer_and_keeps_it_unless_told_not_to(tmp_path, shop):
    evaluation(shop, "file")
    file = write(tmp_path / "log.csv", toy())
    said = StringIO()
    call_command("evaluate_policy", "shop", "would-it", str(file), dry_run=True, stdout=said)
    assert "Worth an A/B test" in said.getvalue()
    assert "Doubly robust" in said.getvalue()
    assert not ResultSnapshot.objects.exists()
    call_command("evaluate_policy", "shop", "would-it", str(file), stdout=said)
    assert ResultSnapshot.objects.count() == 1
    with pytest.raises(CommandError, match="no experiment nothing"):
        call_command("evaluate_policy", "shop", "nothing", str(file))
    with pytest.raises(CommandError, match="no such file"):
        call_command("evaluate_policy", "shop", "would-it", str(tmp_path / "none.csv"))
