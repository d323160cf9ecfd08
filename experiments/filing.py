"""Keep the lists in order: tags and the archive. Nothing here changes what is served."""

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import F, Func, TextField
from django.utils import timezone

from experiments import audit, layers
from experiments.domain.conclusions import tags_problem
from experiments.domain.lifecycle import LIVE, Status
from experiments.models import Experiment, Project, User
from experiments.refusals import RefusedError


class FilingError(RefusedError):
    """An experiment cannot be tagged or archived as asked."""


@transaction.atomic
def set_tags(experiment: Experiment, tags: Sequence[str], user: User | None) -> bool:
    """Give the experiment these tags and no others; return whether this call changed them."""
    wanted = sorted(set(tags))
    if problem := tags_problem(wanted):
        raise FilingError(problem)
    mine = _locked(experiment)
    if mine.tags == wanted:
        return False
    before: dict[str, object] = {"tags": mine.tags}
    mine.tags = wanted
    mine.save(update_fields=["tags"])
    _record(mine, user, "experiment.tags", before, {"tags": wanted})
    experiment.refresh_from_db(fields=["tags"])
    return True


@transaction.atomic
def add_tags(experiments: Iterable[Experiment], tags: Sequence[str], user: User | None) -> int:
    """Give several experiments these tags beside their own; return how many changed."""
    return sum(set_tags(one, [*one.tags, *tags], user) for one in experiments)


@transaction.atomic
def archive(experiment: Experiment, user: User | None) -> bool:
    """Put the experiment out of the lists; return whether this call did it. A draft gives its place in a layer back."""
    mine = _locked(experiment)
    if mine.archived_at is not None:
        return False
    if mine.status in LIVE:
        raise FilingError(f"{mine.name} is {mine.status}. Stop it first: what reaches people stays in the lists.")
    if mine.status == Status.DRAFT and mine.layer_id is not None:
        layers.leave(mine, user)
    mine.archived_at = timezone.now()
    mine.save(update_fields=["archived_at"])
    _record(mine, user, "experiment.archive")
    experiment.refresh_from_db(fields=["archived_at", "layer", "layer_ranges"])
    return True


@transaction.atomic
def restore(experiment: Experiment, user: User | None) -> bool:
    """Put the experiment back into the lists; return whether this call did it."""
    mine = _locked(experiment)
    if mine.archived_at is None:
        return False
    mine.archived_at = None
    mine.save(update_fields=["archived_at"])
    _record(mine, user, "experiment.restore")
    experiment.refresh_from_db(fields=["archived_at"])
    return True


def tags_of(project: Project) -> list[str]:
    """Return every tag that an experiment of the project has."""
    tag = Func(F("tags"), function="unnest", output_field=TextField())
    given = Experiment.objects.filter(project=project).order_by().annotate(tag=tag)
    return sorted(given.values_list("tag", flat=True).distinct())


def _locked(experiment: Experiment) -> Experiment:
    rows = Experiment.objects.select_for_update(of=("self",)).select_related("project")
    return rows.get(pk=experiment.pk)


def _record(
    experiment: Experiment,
    user: User | None,
    action: str,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    audit.record(experiment.project, user, action, f"experiment:{experiment.key}", before=before, after=after)
