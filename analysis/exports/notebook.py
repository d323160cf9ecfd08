"""A Jupyter notebook that computes a result's numbers from its moments, with numpy, scipy and statsmodels alone."""

import json
from typing import Any

import msgspec

from analysis.exports import notebook_code as code
from analysis.results.schema import Comparison, MetricResult, Results
from experiments.pages.formats import moment

FORMAT = {"nbformat": 4, "nbformat_minor": 5}


def notebook(results: Results, snapshot: int) -> dict[str, Any]:
    """Return the notebook as JSON holds it (nbformat 4.5)."""
    facts = results.experiment
    opening = (
        f"# {facts.name}\n\n{results.verdict.headline}\n\nResult {snapshot} as of {moment(results.as_of)}, engine "
        f"{results.engine_version}. This notebook computes every difference, standard error, p-value and interval of "
        "the result again from the moments of each variant's units, and holds them to what was reported. It needs "
        "numpy, scipy and statsmodels and nothing of Truelift."
    )
    data = json.dumps(_data(results), ensure_ascii=True)
    cells = [
        _text(opening),
        _text(
            "## What is given\n\nMoments over units: how many, their means, and centred sums of squares and products."
        ),
        # The text is a literal: what people wrote in names is data here and never code.
        _code(f"import json\n\nRESULT = json.loads({data!r})"),
        _text("## How one comparison is made"),
        _code(code.ESTIMATES),
        _code(code.COMPARISON),
        _text("## All of them, held to what was reported"),
        _code(code.ALL),
        _text("## A second opinion\n\nMeans and shares once more, by statsmodels’ own two-sample functions."),
        _code(code.STATSMODELS),
    ]
    numbered = [{"id": f"cell-{place}", **cell} for place, cell in enumerate(cells, start=1)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return {**FORMAT, "metadata": {**kernel, "language_info": {"name": "python"}}, "cells": numbered}


def _data(results: Results) -> dict[str, Any]:
    return {
        "experiment": results.experiment.key,
        "alpha": results.alpha,
        "trustworthy": results.health.trustworthy,
        "metrics": [_metric(metric) for metric in results.metrics],
    }


def _metric(metric: MetricResult) -> dict[str, Any]:
    return {
        "key": metric.key,
        "name": metric.name,
        "kind": metric.kind,
        "arms": {arm.variant: msgspec.to_builtins(arm) for arm in metric.arms},
        "comparisons": [_comparison(one) for one in metric.comparisons],
    }


def _comparison(one: Comparison) -> dict[str, Any]:
    """Return what the reported numbers were; of one look where the plan has several, with the boundary beside."""
    looked = one.fixed_p_value is not None
    return {
        "variant": one.variant,
        "control": one.control,
        "alpha": one.alpha,
        "adjusted": one.variance_reduction is not None,
        "boundary": one.boundary,
        "difference": one.difference,
        "standard_error": one.standard_error,
        "interval": one.difference_interval,
        "lift": one.lift,
        "lift_interval": one.lift_interval,
        "one_look": {
            "p_value": one.fixed_p_value if looked else one.p_value,
            "interval": one.fixed_difference_interval if looked else one.difference_interval,
            "lift_interval": one.fixed_lift_interval if looked else one.lift_interval,
        },
    }


def _text(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _code(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": source.strip()}
