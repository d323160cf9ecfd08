"""The engine's hottest lines in compiled form, where the installation could build them: ``NATIVE``, or None.

Everything that uses it also does without, with equal answers (docs/decisions/0009-optional-compiled-hash.md).
"""

import os

__all__ = ["NATIVE"]

try:
    from assignment.engine import _native as NATIVE  # noqa: N812 - a constant: it is there or not
except ImportError:  # no C compiler was at hand, which is fine
    NATIVE = None  # type: ignore[assignment]

INTERFACE = 1
"""Of the compiled module; one that was built for another version of these sources is not used."""

IS_WANTED = os.environ.get("TRUELIFT_NATIVE", "1") not in ("0", "no", "off", "false")

if NATIVE is not None and (NATIVE.INTERFACE != INTERFACE or not IS_WANTED):
    NATIVE = None  # type: ignore[assignment]
