"""Portfolios: sets of experiments that one digest is about. Those of an owner or a tag grow by themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, QuerySet

from analysis.models import Digest, Portfolio
from experiments import audit
from experiments.models import Experiment, Project, User
from experiments.refusals import RefusedError

MOST_CHOSEN = 200


class PortfolioError(RefusedError):
    """A portfolio cannot be kept as asked; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a portfolio is to be: of its three contents the one that its kind names."""

    name: str
    kind: Portfolio.Kind
    experiments: Sequence[Experiment] = ()
    owner: User | None = None
    tag: str = ""


def experiments_of(digest_or_portfolio: Digest | Portfolio) -> "QuerySet[Experiment, Experiment]":
    """Return what a digest or a portfolio is about; archived experiments are not."""
    if isinstance(digest_or_portfolio, Digest):
        return _of_digest(digest_or_portfolio)
    portfolio = digest_or_portfolio
    found = Experiment.objects.filter(project=portfolio.project_id, archived_at=None)
    match portfolio.kind:
        case Portfolio.Kind.OWNER:
            return found.filter(Q(owner=portfolio.owner_id) | Q(owner=None, created_by=portfolio.owner_id))
        case Portfolio.Kind.TAG:
            return found.filter(tags__contains=[portfolio.tag])
        case _:
            return found.filter(portfolios=portfolio)


@transaction.atomic
def make(project: Project, wanted: Wanted, user: User | None) -> Portfolio:
    """Make a portfolio.

    Raises
    ------
    PortfolioError
        The name is taken, or its content is missing.
    """
    Project.objects.select_for_update().get(pk=project.pk)  # one after the other, so that names hold
    _refuse(project, wanted)
    made = Portfolio.objects.create(
        project=project, name=wanted.name, kind=wanted.kind, owner=wanted.owner, tag=wanted.tag, created_by=user
    )
    made.experiments.set(wanted.experiments)
    audit.record(project, user, "portfolio.make", subject_of(made), after=facts(made))
    return made


@transaction.atomic
def change(portfolio: Portfolio, wanted: Wanted, user: User | None) -> bool:
    """Change a portfolio; its kind stays. Return whether anything changed.

    Raises
    ------
    PortfolioError
        The name is taken, or its content is missing.
    """
    before = facts(portfolio)
    _refuse(portfolio.project, wanted, portfolio)
    portfolio.name, portfolio.owner, portfolio.tag = wanted.name, wanted.owner, wanted.tag
    portfolio.save(update_fields=["name", "owner", "tag"])
    portfolio.experiments.set(wanted.experiments)
    after = facts(portfolio)
    if before != after:
        audit.record(portfolio.project, user, "portfolio.change", subject_of(portfolio), before=before, after=after)
    return before != after


@transaction.atomic
def remove(portfolio: Portfolio, user: User | None) -> bool:
    """Remove a portfolio with its digests. Return whether this call did it."""
    before = facts(portfolio)
    gone, _ = Portfolio.objects.filter(pk=portfolio.pk).delete()
    if gone:
        audit.record(portfolio.project, user, "portfolio.remove", subject_of(portfolio), before=before)
    return bool(gone)


def facts(portfolio: Portfolio) -> dict[str, object]:
    """Return what an audit row says of a portfolio."""
    return {
        "name": portfolio.name,
        "kind": portfolio.kind,
        "owner": portfolio.owner.email if portfolio.owner else None,
        "tag": portfolio.tag or None,
        "experiments": sorted(portfolio.experiments.values_list("key", flat=True)),
    }


def _of_digest(digest: Digest) -> "QuerySet[Experiment, Experiment]":
    if digest.portfolio is not None:
        return experiments_of(digest.portfolio)
    found = Experiment.objects.filter(project=digest.project_id, archived_at=None)
    return found.filter(pk=digest.experiment_id) if digest.experiment_id else found


def _refuse(project: Project, wanted: Wanted, known: Portfolio | None = None) -> None:
    others = Portfolio.objects.filter(project=project, name=wanted.name)
    if (others.exclude(pk=known.pk) if known else others).exists():
        raise PortfolioError(f"The name {wanted.name!r} is already used by another portfolio. Choose another.")
    if wanted.kind == Portfolio.Kind.CHOSEN and not 1 <= len(wanted.experiments) <= MOST_CHOSEN:
        raise PortfolioError(f"{len(wanted.experiments)} experiments are chosen; it must be 1 to {MOST_CHOSEN}.")
    if wanted.kind == Portfolio.Kind.OWNER and wanted.owner is None:
        raise PortfolioError("No owner is chosen; choose a member of the project.")
    if wanted.kind == Portfolio.Kind.TAG and not wanted.tag:
        raise PortfolioError("No tag is given; give one that experiments have.")


def subject_of(portfolio: Portfolio) -> str:
    """Return the name under which the audit keeps a portfolio."""
    return f"portfolio:{portfolio.name}"[:120]
