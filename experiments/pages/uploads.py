"""Pictures that come with the form of variants: read before anything is saved, so that a bad file saves nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.files import File
from django.utils.datastructures import MultiValueDict

from experiments.forms.set_up import WhatForm
from experiments.models import Experiment, User
from experiments.pictures import Picture, attach, detach, redraw

MOST_AT_ONCE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploads:
    """Pictures to add, by the variant's key, and those to remove, by number."""

    added: tuple[tuple[str, Picture], ...]
    removed: frozenset[int]

    @classmethod
    def of(cls, form: WhatForm, files: MultiValueDict[str, Any]) -> "Uploads":
        """Read the files of a form.

        Raises
        ------
        PictureError
            When one of them is no picture.
        """
        added = [
            (row.to_plan().key, _read(file))
            for row in form.rows
            for file in files.getlist(f"{row.prefix}-picture")[:MOST_AT_ONCE]
        ]
        return cls(added=tuple(added), removed=form.pictures_to_remove)


def _read(file: "File[bytes]") -> Picture:
    return redraw(file.read())


def store(experiment: Experiment, user: User, uploads: Uploads, renamed: Mapping[str, str]) -> None:
    """Keep and remove pictures; those of a renamed variant follow it, those of a removed one go."""
    for was, key in renamed.items():
        experiment.screenshots.filter(variant_key=was).update(variant_key=key)
    keys = list(experiment.variants.values_list("key", flat=True))
    for one in experiment.screenshots.defer("content"):
        if one.pk in uploads.removed or one.variant_key not in keys:
            detach(one, user)
    for key, picture in uploads.added:
        attach(experiment, key, picture, user)
