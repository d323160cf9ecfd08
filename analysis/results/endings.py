"""How experiments ended, in a few words, for lists: verdict and chain of the newest snapshot, without its curves."""

from collections.abc import Iterable

import msgspec

from analysis.models import ResultSnapshot
from analysis.results.chain import Chain
from analysis.results.schema import Verdict
from experiments.models import Experiment


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment's newest verdict and its chains, one a treatment that serves a model."""

    snapshot: int
    verdict: Verdict
    chains: list[Chain]

    def chain(self, variant: str) -> Chain | None:
        """Return the chain of a treatment."""
        return next((chain for chain in self.chains if chain.variant == variant), None)


def endings(experiments: Iterable[Experiment]) -> dict[int, Ending]:
    """Return the newest ending of each experiment that has results, by the experiment's id, in one query."""
    ids = [experiment.pk for experiment in experiments]
    newest = ResultSnapshot.objects.filter(experiment__in=ids).order_by("experiment_id", "-id")
    rows = newest.distinct("experiment_id").values_list("experiment_id", "id", "payload__verdict", "payload__chains")
    return {
        experiment: Ending(
            snapshot=snapshot,
            verdict=msgspec.convert(verdict, Verdict, strict=False),
            chains=msgspec.convert(chains or [], list[Chain], strict=False),
        )
        for experiment, snapshot, verdict, chains in rows
    }
