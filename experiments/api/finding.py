"""Find what an address or a body names, in the key's project alone."""

from http import HTTPStatus
from typing import TypeVar

from django.db.models import Model, QuerySet

from experiments.api.answers import ApiError, bad_value
from experiments.api.operations import Call
from experiments.models import Experiment, Flag, FlagRule, Layer, Metric, Project, Segment

Row = TypeVar("Row", bound=Model)


def missing(project: Project, kind: str, key: object) -> ApiError:
    """Return the 404 of what the project has not, be it another project's or nobody's."""
    return ApiError(HTTPStatus.NOT_FOUND, "not_found", f"Project {project.slug} has no {kind} {key!r}.")


def experiment_of(call: Call) -> Experiment:
    """Return the experiment that the address names."""
    return experiment_by_key(call.project, call.args["key"])


def experiment_by_key(project: Project, key: str) -> Experiment:
    """Return an experiment of the project.

    Raises
    ------
    ApiError
        404 when the project has none of this key.
    """
    experiment = Experiment.objects.filter(project=project, key=key).first()
    if experiment is None:
        raise missing(project, "experiment", key)
    experiment.project = project
    return experiment


def flag_of(call: Call) -> Flag:
    """Return the flag that the address names."""
    flag = Flag.objects.filter(project=call.project, key=call.args["key"]).first()
    if flag is None:
        raise missing(call.project, "flag", call.args["key"])
    flag.project = call.project
    return flag


def rule_of(call: Call) -> FlagRule:
    """Return the rule that the address names."""
    flag = flag_of(call)
    rule = flag.rules.filter(pk=call.args["id"]).first()
    if rule is None:
        raise missing(call.project, f"flag {flag.key!r} with a rule", call.args["id"])
    rule.flag = flag
    return rule


def segment_of(call: Call) -> Segment:
    """Return the segment that the address names."""
    return _by_key(call, Segment.objects.filter(project=call.project), "segment")


def layer_of(call: Call) -> Layer:
    """Return the layer that the address names."""
    return _by_key(call, Layer.objects.filter(project=call.project), "layer")


def metric_of(call: Call) -> Metric:
    """Return the metric that the address names."""
    return _by_key(call, Metric.objects.filter(project=call.project), "metric")


def _by_key(call: Call, rows: "QuerySet[Row, Row]", kind: str) -> Row:
    row = rows.filter(key=call.args["key"]).first()
    if row is None:
        raise missing(call.project, kind, call.args["key"])
    row.project = call.project  # type: ignore[attr-defined]
    return row


def named_metric(project: Project, key: str, field: str) -> Metric:
    """Return a metric that a body names."""
    metric = Metric.objects.filter(project=project, key=key).first()
    if metric is None:
        raise bad_value(f"Project {project.slug} has no metric {key[:60]!r}. Create it first.", field)
    if metric.archived_at is not None:
        raise bad_value(f"The metric {metric.key!r} is archived. Restore it, or choose another.", field)
    return metric


def named_layer(project: Project, key: str, field: str) -> Layer:
    """Return a layer that a body names."""
    layer = Layer.objects.filter(project=project, key=key).first()
    if layer is None:
        raise bad_value(f"Project {project.slug} has no layer {key[:80]!r}. Create it first.", field)
    return layer
