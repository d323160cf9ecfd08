"""Past experiments: files of summaries from elsewhere, read, refused, shown, taken out and brought back."""

import csv
import gzip
import io
import math
import re

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse

from analysis.models import PastEffect, PastImport
from analysis.past.keeping import Wanted, imports, keep, remove, restore
from analysis.past.reading import columns_of, read
from analysis.programme import past, proxies
from analysis.programme.choice import Question
from analysis.programme.schema import Trust
from analysis.tables.refusal import RefusalError
from experiments.domain.access import Scope
from experiments.models import AuditEntry
from tests.analysis.pipeline.test_api import key_of
from tests.analysis.programme import samples
from tests.analysis.programme.samples import BUSINESS, PROXY
from tests.analysis.stats.cases import shared_file
from tests.builders import T0

pytestmark = pytest.mark.django_db
MOMENTS = "experiment,metric,n,mean,variance,control_n,control_mean,control_variance"
ASOS = {
    "date": "time_since_start", "experiment": "experiment_id", "variant": "variant_id", "metric": "metric_id",
    "n": "count_t", "mean": "mean_t", "variance": "variance_t",
    "control_n": "count_c", "control_mean": "mean_c", "control_variance": "variance_c",
}  # fmt: skip


@pytest.fixture
def home(shop):
    samples.metrics(shop)
    return shop


@pytest.fixture
def file(tmp_path):
    def write(text: str, name: str = "old.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def bring(home, path, **fields) -> PastImport:
    wanted = {"file": path, "file_name": path.name, "name": "Old tool", "source": ""} | fields
    return keep(home, None, Wanted(**wanted))[0]


def archive(count: int, slope: float, seed: int = 3) -> str:
    """Lifts with noise correlated by .5 between the metrics: true effects N(0, 5 %²)."""
    rng = np.random.default_rng(seed)
    lines = ["experiment,metric,lift,standard_error,ended,model"]
    for k in range(count):
        x = 0.05 * rng.normal()
        noise = rng.multivariate_normal([0, 0], 0.03**2 * (np.eye(2) / 2 + 0.5))
        for key, value in ((PROXY, x + noise[0]), (BUSINESS, slope * x + noise[1])):
            lift = math.expm1(value)
            lines.append(f"old-{k},{key},{lift},{0.03 * (1 + lift)},2025-0{1 + k % 9}-15,ranker")
    return "\n".join(lines)


def test_read__counts_and_means__become_the_log_lift_and_its_variance(file):
    path = file(f"{MOMENTS}\ne1,clicks,1000,2.2,4,900,2,3\n")
    (found,) = read(path, columns_of(path, {}), ["clicks"], {}).treatments
    effect = found.effects["clicks"]
    assert effect.log_lift == pytest.approx(math.log(1.1))
    assert effect.log_variance == pytest.approx(4 / 1000 / 2.2**2 + 3 / 900 / 2**2)
    assert (effect.units, effect.control, round(effect.difference, 9)) == (1900, 2.0, 0.2)


def test_read__lifts__become_the_same_log_lift_as_their_means(file):
    path = file("experiment,metric,lift,standard_error\ne1,clicks,0.1,0.022\n")
    (found,) = read(path, columns_of(path, {}), ["clicks"], {}).treatments
    assert found.effects["clicks"].log_lift == pytest.approx(math.log(1.1))
    assert found.effects["clicks"].log_variance == pytest.approx((0.022 / 1.1) ** 2)


def test_read__several_dates__takes_the_last_whole_row_whatever_their_order(file):
    rows = ["e1,clicks,1000,2.4,4,900,2,3,10", "e1,clicks,800,2.2,4,700,2,3,9", "e1,clicks,1200,9,,1100,2,3,11"]
    path = file("\n".join([f"{MOMENTS},date", *rows]))
    found = read(path, columns_of(path, {}), ["clicks"], {})
    assert found.treatments[0].effects["clicks"].log_lift == pytest.approx(math.log(1.2))
    assert found.left == {"rows without units or a variance": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("experiment,metric,lift\ne1,clicks,0.1\n", "there is no column standard_error"),
        (f"{MOMENTS}\ne1,clicks,many,2,4,900,2,3\n", "row 1: n is 'many', which is no number"),
        (f"{MOMENTS}\ne1,clicks,1000,2,-4,900,2,3\n", "a variance below 0"),
        (f"{MOMENTS}\ne1,other,1000,2,4,900,2,3\n", "the file has other, the project clicks"),
        (f"{MOMENTS}\ne1,clicks,1000,2,4,900,2,3\ne1,clicks,1000,2,4,900,2,3\n", "has 'clicks' twice"),
        ("experiment,metric,lift,standard_error\ne1,clicks,-1.5,0.1\n", "always above -1"),
        ("experiment,metric,lift,standard_error,ended\ne1,clicks,.1,0.1,soon\n", "ended is 'soon'"),
        (f"{MOMENTS}\ne1,clicks,1000,0,4,900,2,3\n", "not above zero"),
        (f"{MOMENTS}\n", "no rows"),
        (f"{MOMENTS}\ne1,clicks,1e300,2,4,900,2,3\n", "no count of people"),
        (f"{MOMENTS}\ne1,clicks,1000,1e200,4,900,1e-200,3\n", "too large or too small"),
        ("experiment,metric,lift,standard_error\ne1,clicks,.1,1e200\n", "too large or too small"),
        (f"{MOMENTS}\ne\0,clicks,1000,2,4,900,2,3\n", "the character NUL"),
        ("experiment,metric,lift,standard_error,ended\ne1,clicks,.1,0.1,0001-01-01\n", "a year from 1970"),
        ("", "empty"),
        ("PK\x03\x04", "zip or Excel"),
    ],
)
def test_read__what_cannot_be_used__is_refused_with_the_row_and_what_would_do(file, text, said):
    path = file(text)
    with pytest.raises(RefusalError, match=re.escape(said)):
        read(path, columns_of(path, {}), ["clicks"], {})


def test_read__a_mean_beside_lifts_without_its_control__reads_the_lifts(file):
    path = file("experiment,metric,lift,standard_error,mean\ne1,clicks,0.1,0.022,7\n")
    (found,) = read(path, columns_of(path, {}), ["clicks"], {}).treatments
    assert found.effects["clicks"].log_lift == pytest.approx(math.log(1.1))


def test_columns__one_that_the_file_has_not__is_refused_by_name(file):
    with pytest.raises(RefusalError, match="there is no column 'users' for n; the file has experiment"):
        columns_of(file(f"{MOMENTS}\n"), {"n": "users"})


def test_read__two_names_for_one_metric__are_refused(file):
    path = file(f"{MOMENTS}\ne1,a,1000,2,4,900,2,3\ne1,b,1000,2,4,900,2,3\n")
    with pytest.raises(RefusalError, match="'a' and 'b' are both taken for the metric 'clicks'"):
        read(path, columns_of(path, {}), ["clicks"], {"a": "clicks", "b": "clicks"})


def test_keep__the_same_file_again__changes_nothing_and_another_takes_its_place(home, file):
    first, path = bring(home, file(archive(12, 0.5))), file(archive(12, 0.5))
    assert keep(home, None, Wanted(file=path, file_name="old.csv", name="Old tool", source=""))[1] is False
    second = bring(home, file(archive(15, 0.5)))
    assert [one.pk for one in imports(home)] == [second.pk]
    assert PastImport.objects.get(pk=first.pk).removed_at is not None
    assert AuditEntry.objects.filter(action="past.import").count() == 2


@pytest.mark.parametrize("slope", [0.6, -0.4])
def test_reading__of_an_archive__tells_its_slope_beside_what_else_could_be_assumed(home, file, slope):
    bring(home, file(archive(160, slope)))
    found = proxies.read(home, Question(), T0)
    (finding,) = found.findings
    assert finding.experiments == 160
    assert finding.user_level.value is None  # it would be what was assumed
    low, high = finding.corrected.interval
    assert low <= slope <= high
    assert finding.trust is (Trust.TRUSTED if slope > 0 else Trust.MISLEADING)
    assert any("160 of 160 treatments were imported" in one for one in found.warnings)
    check = next(one for one in found.detail.checks if one.name == "Assumed noise of imported experiments")
    assert check.said.count(" at 0") == 4
    assert all(point.imported for point in found.detail.points)
    assert found.families == ["ranker"]


def test_reading__of_own_and_past_experiments__takes_both_and_checks_the_own_by_buckets(home, file):
    samples.programme(home, 60, slope=0.5)
    bring(home, file(archive(60, 0.5)))
    found = proxies.read(home, Question(), T0)
    assert found.experiments == 120
    buckets = next(one for one in found.detail.checks if one.name == "By hash buckets, without any covariance")
    assert buckets.ok is not None
    assert found.detail.rules
    assert found.findings[0].user_level.value == pytest.approx(0.5)  # of the own ones


def test_reading__of_a_time__leaves_out_what_ended_before_or_has_no_date(home, file):
    bring(home, file("experiment,metric,lift,standard_error\ne1,click-through,.1,.1\ne1,revenue,.1,.1\n"))
    assert proxies.read(home, Question(), T0).experiments == 1
    assert proxies.read(home, Question(period="year"), T0).experiments == 0


def test_vectors__of_past_experiments__have_numbers_that_no_own_experiment_has(home, file):
    bring(home, file("experiment,variant,metric,lift,standard_error\ne1,a,revenue,.1,.1\ne1,b,revenue,.1,.1\n"))
    found = past.load(home)
    assert [one.treatment for one in found] == ["a", "b"]
    assert found[0].experiment == found[1].experiment < 0


def test_remove_and_restore__count_no_more_and_again_and_twice_is_once(home, file):
    kept = bring(home, file(archive(12, 0.5)))
    for _ in range(2):
        remove(kept, None)
    assert past.load(home) == []
    assert restore(kept, None)
    assert len(past.load(home)) == 12
    remove(kept, None)
    bring(home, file(archive(13, 0.5)))
    assert not restore(kept, None)
    assert [one.action for one in AuditEntry.objects.order_by("pk")] == [
        "past.import", "past.remove", "past.restore", "past.remove", "past.import",
    ]  # fmt: skip


def upload(client, home, text: str, **fields):
    file = SimpleUploadedFile("old.csv", text.encode())
    given = {"name": "Old tool", "source": "Our old tool", "correlation": "0.5", "file": file} | fields
    return client.post(reverse("evidence_past", args=[home.slug]), given)


def test_page__brings_in_shows_removes_and_undoes(home, client_of_alice):
    address = reverse("evidence_past", args=[home.slug])
    assert "Bring in a file" in client_of_alice.get(address).content.decode()
    assert upload(client_of_alice, home, archive(12, 0.5)).status_code == 302
    text = client_of_alice.get(address).content.decode()
    assert "Our old tool" in text
    assert "12 treatments of Old tool count now." in text
    kept = PastImport.objects.get()
    gone = client_of_alice.post(reverse("past_remove", args=[home.slug, kept.pk]), follow=True).content.decode()
    assert "no longer counts" in gone
    assert "Undo" in gone
    client_of_alice.post(reverse("past_restore", args=[home.slug, kept.pk]))
    assert PastImport.objects.get().removed_at is None


def test_page__the_same_form_again__reads_a_corrected_file_of_the_same_size_and_the_same_one_once(
    home, client_of_alice
):
    text = archive(12, 0.5)
    for sent in (text, text, text.replace("old-1,", "old-X,")):
        assert upload(client_of_alice, home, sent, csrfmiddlewaretoken="a form").status_code == 302
    assert PastImport.objects.count() == 2
    assert "old-X" in PastImport.objects.get(removed_at=None).effects.values_list("experiment", flat=True)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"metrics": "clicks"}, "write their name = our key"),
        ({"name": ""}, "This field is required"),
        ({"correlation": "2"}, "Select a valid choice"),
        ({"columns": "hue = colour"}, "is no role of a column"),
    ],
)
def test_page__a_form_in_error__says_what_to_do_and_keeps_nothing(home, client_of_alice, fields, said):
    response = upload(client_of_alice, home, archive(12, 0.5), **fields)
    assert response.status_code == 400
    assert said in response.content.decode().replace("&#x27;", "'")
    assert not PastImport.objects.exists()


def test_page__others__viewers_look_and_strangers_find_nothing(home, client_of_bob, client_of_charlie):
    address = reverse("evidence_past", args=[home.slug])
    text = client_of_bob.get(address).content.decode()
    assert "Bring in a file" not in text
    assert upload(client_of_bob, home, archive(12, 0.5)).status_code == 403
    assert client_of_charlie.get(address).status_code == 404


def test_page__any_number_of_imports__takes_as_many_queries(home, file, client_of_alice, django_assert_max_num_queries):
    for k in range(5):
        bring(home, file(archive(12, 0.5, seed=k)), name=f"Tool {k}")
    with django_assert_max_num_queries(12):
        client_of_alice.get(reverse("evidence_past", args=[home.slug]))


def test_command__says_what_counts_and_what_was_left_out(home, file, capsys):
    path = file(f"{MOMENTS}\ne1,rev,1000,2.2,4,900,2,3\ne1,x,1000,2.2,4,900,2,3\n")
    call_command("import_experiments", home.slug, str(path), "--metrics", "rev=revenue")
    assert "1 treatments of old count" in capsys.readouterr().out
    call_command("import_experiments", home.slug, str(path), "--metrics", "rev=revenue")
    assert "was here already" in capsys.readouterr().out
    with pytest.raises(CommandError, match="there is no project 'nowhere'"):
        call_command("import_experiments", "nowhere", str(path))


def test_api__brings_in_lists_and_takes_out(home, client):
    head = {"HTTP_AUTHORIZATION": f"Bearer {key_of(home, Scope.READ, Scope.WRITE)[1]}"}
    form = {"name": "Old", "file": io.BytesIO(archive(12, 0.5).encode())}
    made = client.post("/api/v1/past-experiments", form, **head)
    assert made.status_code == 201, made.content
    number = made.json()["id"]
    assert made.json()["treatments"] == 12
    assert client.get("/api/v1/past-experiments", **head).json()["past_experiments"][0]["id"] == number
    assert client.delete(f"/api/v1/past-experiments/{number}", **head).status_code == 204
    assert client.get(f"/api/v1/past-experiments/{number}", **head).status_code == 404
    wrong = client.post("/api/v1/past-experiments", form | {"file": io.BytesIO(b"a,b\n1,2\n")}, **head)
    assert (wrong.status_code, "there is no column experiment" in wrong.content.decode()) == (422, True)
    assert PastEffect.objects.count() == 12


def test_asos__as_a_programme__more_buyers_meant_as_much_more_money(home):
    """46 public experiments of a shop (Liu and others 2021, CC BY 4.0): did they buy → how much; splits unknown."""
    path = shared_file("data/asos/asos_dev.csv.gz")
    with gzip.open(path, "rt") as rows:
        pairs = {(row["experiment_id"], row["variant_id"]) for row in csv.DictReader(rows)}
    kept = bring(
        home, path, name="ASOS", source="Liu and others 2021, CC BY 4.0", columns=ASOS,
        metrics={"1": PROXY, "4": BUSINESS},
    )  # fmt: skip
    assert kept.treatments <= len(pairs)
    assert kept.left["rows of metrics that the project does not have (2, 3)"] > 0
    found = proxies.read(home, Question(proxy=PROXY, business=BUSINESS), T0)
    (finding,) = found.findings
    assert (finding.experiments, finding.trust) == (55, Trust.TRUSTED)
    low, high = finding.corrected.interval
    assert 0.8 < low < 1 < high < 1.35
    check = next(one for one in found.detail.checks if one.name == "Assumed noise of imported experiments")
    assert check.ok
    assert any("whether their split was as planned could not be checked" in one for one in found.warnings)
