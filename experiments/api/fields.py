"""Field types that several requests share, with the bounds that the tables have."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from experiments.domain.names import LONGEST_KEY
from experiments.domain.shares import WHOLE

Key = Annotated[str, Meta(min_length=1, max_length=LONGEST_KEY, pattern=r"^[A-Za-z0-9._-]+$")]
Name = Annotated[str, Meta(min_length=1, max_length=120, pattern=r"\S")]
Description = Annotated[str, Meta(max_length=300)]
Why = Annotated[str, Meta(max_length=350, description="For the record.")]
Reason = Annotated[str, Meta(min_length=1, max_length=350, pattern=r"\S", description="For the record.")]
Share = Annotated[int, Meta(ge=1, le=WHOLE, description="Ten-thousandths: 5000 is 50 %.")]
ShareOrNone = Annotated[int, Meta(ge=0, le=WHOLE, description="Ten-thousandths: 5000 is 50 %; 0 is none.")]
Targeting = Annotated[dict[str, Any], Meta(description="A condition in the SDKs' terms; empty is for everyone.")]


class Taken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client sends: a field that is not known is refused, because a misspelt one would do nothing in silence."""


class WhyOnly(Taken, frozen=True, kw_only=True):
    """A change that needs no reason but may have one."""

    why: Why = ""


class ReasonOnly(Taken, frozen=True, kw_only=True):
    """A change that needs a reason."""

    why: Reason
