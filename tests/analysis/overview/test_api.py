import pytest
from django.utils import timezone

from analysis.models import SavedView
from experiments import filing
from experiments.domain.conclusions import Choice, ConclusionState
from experiments.domain.lifecycle import Status
from experiments.models import AuditEntry, Conclusion
from tests import builders
from tests.experiments.api.conftest import api, home  # noqa: F401  (fixtures are found by their names here)

pytestmark = pytest.mark.django_db


def test_programme__over_the_api__says_what_the_page_says(api, home):  # noqa: F811
    builders.standing(builders.experiment(home, "won", status=Status.STOPPED, stopped_at=timezone.now()))
    said = api.ok("GET", "/programme")
    assert said["win_rate"] == {
        "count": 1,
        "of": 1,
        "value": 1.0,
        "interval": said["win_rate"]["interval"],
        "reason": "",
    }
    assert said["impact"]["believed"] is None
    assert "8 experiments" in said["impact"]["reason"]


def test_conflicts__over_the_api__name_both_experiments(api, home):  # noqa: F811
    for key in ("one", "two"):
        builders.experiment(home, key, tags=["checkout"])
    (pair,) = api.ok("GET", "/conflicts")["conflicts"]
    assert (sorted(pair["experiments"]), pair["what"]) == (["one", "two"], ["“checkout”"])
    assert api.ok("GET", "/experiments/one/conflicts")["conflicts"][0]["experiments"] == ["one", "two"]


def test_library__over_the_api__finds_lessons_by_word(api, home):  # noqa: F811
    one = builders.experiment(home, "one", status=Status.STOPPED)
    Conclusion.objects.create(
        experiment=one, decision=Choice.SHIP, state=ConclusionState.MADE, reason="So.", learned="People read prices."
    )
    found = api.ok("GET", "/library?search=price")
    assert found["total"] == 1
    assert found["lessons"][0]["learned"] == "People read prices."
    assert api.ok("GET", "/library?search=unicorn") == {"lessons": [], "total": 0}


def test_views__over_the_api__are_shared_audited_and_keep_what_a_list_can_be_asked(api, home):  # noqa: F811
    made = api.ok("POST", "/views", {"name": "Ours", "query": "tag=search&nonsense=1"})
    assert made["query"] == "tag=search"
    assert api.ok("GET", "/views")["views"] == [made]
    SavedView.objects.create(project=home, owner=builders.user(), name="Private")
    assert len(api.ok("GET", "/views")["views"]) == 1
    assert api.ok("DELETE", f"/views/{made['id']}") is None
    done = AuditEntry.objects.filter(subject__startswith="view:").order_by("pk")
    assert list(done.values_list("action", flat=True)) == ["view.save", "view.delete"]


def test_experiments__over_the_api__are_filtered_by_stage_tag_owner_and_archive(api, home):  # noqa: F811
    ada = builders.user("ada@example.com")
    builders.experiment(home, "draft", status=Status.DRAFT, owner=ada, tags=["search"])
    gone = builders.experiment(home, "gone", status=Status.STOPPED)
    filing.archive(gone, None)

    def keys(query: str) -> list[str]:
        return [one["key"] for one in api.ok("GET", f"/experiments?{query}")["experiments"]]

    assert keys("") == ["draft"]
    assert keys("archived=true") == ["gone"]
    assert keys("stage=draft&tag=Search&owner=ada@example.com") == ["draft"]
    assert keys("stage=running") == []
