"""Pictures of variants: what people upload is decoded and drawn anew, so that nothing but pixels is kept and served."""

import hashlib
import io
from dataclasses import dataclass

from django.db import transaction
from PIL import Image, ImageOps, UnidentifiedImageError

from experiments import audit
from experiments.models import Experiment, Screenshot, User
from experiments.refusals import RefusedError

MOST_BYTES = 5_000_000
MOST_PIXELS = 40_000_000
"""A long page on a fine screen; what is larger would take a worker's memory."""
MOST_WIDTH, MOST_HEIGHT = 1600, 4800
MOST_PER_VARIANT = 6
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
CONTENT_TYPE = "image/webp"
_QUALITY = 85


class PictureError(RefusedError):
    """A file is no picture that can be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture as it is kept: WebP without any of the upload's metadata."""

    content: bytes
    width: int
    height: int

    @property
    def digest(self) -> str:
        """Return what tells it from other pictures."""
        return hashlib.blake2b(self.content, digest_size=16).hexdigest()


def redraw(upload: bytes) -> Picture:
    """Decode an upload and draw it anew, no larger than needed to look at it.

    Raises
    ------
    PictureError
        When it is too large, or no PNG, JPEG, WebP or GIF.
    """
    if len(upload) > MOST_BYTES:
        raise PictureError(f"The file has {len(upload) / 1e6:.1f} MB; {MOST_BYTES / 1e6:g} MB are allowed.")
    try:
        with Image.open(io.BytesIO(upload), formats=FORMATS) as opened:
            return _redrawn(opened)
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        raise PictureError("The file is no picture that we read; use PNG, JPEG, WebP or GIF.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(f"The picture has too many pixels; {MOST_PIXELS / 1e6:g} million are allowed.") from error
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
        raise PictureError("The picture is damaged and cannot be read; save it again and retry.") from error


def _redrawn(opened: Image.Image) -> Picture:
    if opened.width * opened.height > MOST_PIXELS:  # known from the header, before a pixel is decoded
        pixels = opened.width * opened.height / 1e6
        raise PictureError(f"The picture has {pixels:.0f} million pixels; {MOST_PIXELS / 1e6:g} million are allowed.")
    upright = ImageOps.exif_transpose(opened)
    has_alpha = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
    drawn = upright.convert("RGBA" if has_alpha else "RGB")
    drawn.thumbnail((MOST_WIDTH, MOST_HEIGHT), Image.Resampling.LANCZOS)
    bare = Image.new(drawn.mode, drawn.size)
    bare.paste(drawn)
    out = io.BytesIO()
    bare.save(out, "WEBP", quality=_QUALITY)
    return Picture(content=out.getvalue(), width=bare.width, height=bare.height)


@transaction.atomic
def attach(
    experiment: Experiment, variant_key: str, picture: Picture, user: User | None, caption: str = ""
) -> Screenshot:
    """Keep a picture of a variant; the same one twice is kept once. It may come any time: it changes no number."""
    mine = Experiment.objects.select_for_update(of=("self",)).select_related("project").get(pk=experiment.pk)
    if not mine.variants.filter(key=variant_key).exists():
        raise PictureError(f"{mine.name} has no variant {variant_key[:60]!r}.")
    own = mine.screenshots.filter(variant_key=variant_key)
    found = own.filter(digest=picture.digest).defer("content").first()
    if found is not None:
        return found
    if own.count() >= MOST_PER_VARIANT:
        raise PictureError(f"{variant_key} has {MOST_PER_VARIANT} pictures, which is the most; remove one first.")
    made = Screenshot.objects.create(
        experiment=mine,
        variant_key=variant_key,
        caption=caption.strip()[:120],
        content=picture.content,
        digest=picture.digest,
        width=picture.width,
        height=picture.height,
        created_by=user,
    )
    _record(mine, user, "experiment.picture-add", after={"variant": variant_key, "picture": made.pk})
    return made


@transaction.atomic
def detach(screenshot: Screenshot, user: User | None) -> bool:
    """Remove a picture; return whether this call did it."""
    mine = Screenshot.objects.select_for_update(of=("self",)).defer("content").filter(pk=screenshot.pk)
    found = mine.select_related("experiment__project").first()
    if found is None:
        return False
    _record(
        found.experiment, user, "experiment.picture-remove", before={"variant": found.variant_key, "picture": found.pk}
    )
    found.delete()
    return True


def _record(
    experiment: Experiment,
    user: User | None,
    action: str,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    audit.record(experiment.project, user, action, f"experiment:{experiment.key}", before=before, after=after)
