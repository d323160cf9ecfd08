"""What a unit gets of all flags and experiments, in one lean answer: for apps that ask once a session."""

from collections.abc import Mapping

import msgspec

from assignment.admission import admitted
from assignment.context import TARGETING_KEY, RequestError, plain_body, read_context
from assignment.edge import Edge
from assignment.ofrep import LARGEST_BODY
from assignment.wire import JSON, Answer
from experiments.domain.access import Scope

PATH = "/v1/assignments"


class AssignmentsDoor:
    """Answers ``POST /v1/assignments`` with every flag that gives the unit something else than its default.

    The body is OFREP's, ``{"context": {"targetingKey": "user-7"}}``. 200 carries variant and value by the flag's key,
    and ``outcome`` where no experiment assigned it (``override``, ``targeted``, ``shipped``, …); what is absent keeps
    the default. Errors are those of ``/v1/decide``. Nothing is logged as an exposure: an app reports what it has shown.
    """

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def handle(self, method: str, path: str, headers: Mapping[str, str], query: str, body: bytes) -> Answer:
        """Answer one request; header names are lower-case."""
        del query
        try:
            if path.rstrip("/") != PATH:
                raise RequestError("NOT_FOUND", f"There is nothing at {path[:100]}; ask {PATH}.", status=404)
            if method != "POST":
                details = f"{method[:20]} is not answered here; use POST."
                raise RequestError("METHOD_NOT_ALLOWED", details, status=405, headers=[("allow", "POST")])
            environment = admitted(self._edge, headers, Scope.EVALUATE)[1].environment
            context = read_context(plain_body(headers, body, LARGEST_BODY))
            attributes, problems = environment.attributes(context)
            if problems:
                raise next(iter(problems.values()))
        except RequestError as error:
            said = msgspec.json.encode({"code": error.code, "message": error.details})
            return error.status, [JSON, *error.headers], said
        unit = msgspec.json.encode(context.get(TARGETING_KEY))
        before = b'{"version":"%b","unit":%b,"assignments":{' % (environment.digest.encode(), unit)
        return 200, [JSON, ("cache-control", "no-store")], environment.assigned(attributes, before, b"}}")
