"""Files that come in a form: read once, kept on disk as long as they are looked at."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, QueryDict
from django.http.multipartparser import MultiPartParserError

from experiments.api.answers import ApiError, bad_value


def form_of(request: HttpRequest, *fields: str) -> tuple[QueryDict, "UploadedFile[Any]"]:
    """Return a form's fields and its file.

    Raises:
        ApiError: it is no form, cannot be read, or holds no file; the message names the ``fields`` beside it.
    """
    if not request.headers.get("Content-Type", "").startswith("multipart/form-data"):
        message = f"Send the file as multipart/form-data, with the fields file and {', '.join(fields)}."
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not_a_form", message)
    try:
        form, file = request.POST, request.FILES.get("file")
    except MultiPartParserError as problem:
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad_form", f"The form cannot be read: {problem}") from problem
    if not isinstance(file, UploadedFile):
        raise bad_value("There is no file in the form.", "file")
    return form, file


@contextmanager
def on_disk(file: "UploadedFile[Any]") -> Iterator[Path]:
    """Have an upload as a file of its own, whatever it is called, and gone afterwards."""
    with tempfile.NamedTemporaryFile(prefix="truelift-upload-") as kept:
        for part in file.chunks():
            kept.write(part)
        kept.flush()
        yield Path(kept.name)
