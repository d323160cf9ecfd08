"""Compile a definition again after a change: only what changed, and what depends on it."""

from collections.abc import Iterable, Mapping
from typing import Any

from assignment.engine.flags import Configuration
from assignment.engine.program import Program, compile_features, parents_of

Features = Mapping[str, Any]


def recompiled(
    previous: Program, features: Features, saved_groups: Mapping[str, Any], changed: Iterable[str]
) -> Program:
    """Return the program of ``features``; the flags that nothing has touched are those of ``previous``.

    Parameters
    ----------
    previous
        A program with the same saved groups.
    features
        All features by key.
    saved_groups
        Saved groups by id.
    changed
        The keys of features that are new, gone, or not as they were.
    """
    parents = {key: parents_of(feature) for key, feature in features.items()}
    stale = _with_children(changed, parents) & features.keys()
    needed = {key: features[key] for key in _with_parents(stale, parents)}
    compiled = compile_features(needed, saved_groups).flags
    flags = {key: compiled[key] if key in stale else previous.flags[key] for key in features}
    configuration = Configuration(features=features, saved_groups=saved_groups, contextual_bandits={})
    return Program(configuration, flags)


def _with_children(keys: Iterable[str], parents: Mapping[str, frozenset[str]]) -> set[str]:
    children: dict[str, list[str]] = {}
    for key, above in parents.items():
        for parent in above:
            children.setdefault(parent, []).append(key)
    return reached(keys, children)


def _with_parents(keys: Iterable[str], parents: Mapping[str, frozenset[str]]) -> set[str]:
    return reached(keys, {key: [one for one in above if one in parents] for key, above in parents.items()})


def reached(keys: Iterable[str], ways: Mapping[str, Iterable[str]]) -> set[str]:
    """Return the keys and all that lie on the ways from them."""
    found = set(keys)
    waiting = list(found)
    while waiting:
        new = set(ways.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return found
