"""The two questions of the SDK protocol: what is this feature's value, and what does this experiment do?"""

from collections.abc import Mapping
from typing import Any

from assignment.engine.sdk import features, running
from assignment.engine.sdk.context import Context, Session
from assignment.engine.sdk.results import ExperimentResult, FeatureResult
from assignment.engine.sdk.values import mapping


def evaluate_feature(context: Context, key: str) -> FeatureResult:
    """Return the value of a feature and where it comes from (``evalFeature``); nothing is raised.

    Parameters
    ----------
    context
        The unit, the configuration and the app's wishes.
    key
        The feature's key; an unknown one has the value None.
    """
    return features.evaluate(key, Session(context=context, evaluate=features.evaluate))


def run_experiment(context: Context, experiment: Mapping[str, Any]) -> ExperimentResult:
    """Return what an experiment does with the context's unit (``run``); nothing is raised.

    Parameters
    ----------
    context
        The unit, the configuration and the app's wishes.
    experiment
        An experiment of the SDK protocol that is written in the app rather than in a feature's rule.
    """
    return running.run(mapping(experiment), Session(context=context, evaluate=features.evaluate))
