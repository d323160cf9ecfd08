"""Give a file of logged decisions over the API."""

import tempfile
from http import HTTPStatus
from pathlib import Path

from django.http import HttpResponse

from analysis.api.experiments import ResultsAnswer, results
from analysis.offpolicy.giving import give
from analysis.tables.refusal import RefusalError
from experiments.api.answers import bad_value
from experiments.api.finding import experiment_of
from experiments.api.operations import Call, Operation

NAME = "given over the API"


def take(call: Call, body: bytes) -> HttpResponse:
    """Evaluate the file and answer the result that it made."""
    experiment = experiment_of(call)
    with tempfile.NamedTemporaryFile(prefix="truelift-given-") as file:
        file.write(body)
        file.flush()
        try:
            give(experiment, Path(file.name), NAME, None)
        except RefusalError as refused:
            raise bad_value(str(refused).replace(file.name, "The file"), "body") from refused
    return results(call)


OPERATIONS = [
    Operation(
        method="POST", path="/experiments/{key}/decisions", summary="Give a file of logged decisions", handle=take,
        answers=ResultsAnswer, status=HTTPStatus.OK, takes_file=True,
    ),
]  # fmt: skip
