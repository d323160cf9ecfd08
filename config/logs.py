"""Log lines without secrets: some protocols carry the key in the address, and any message may quote one."""

import logging
import re

_SECRET = re.compile(r"\b(tl_|token=)[A-Za-z0-9._~%-]{6,}")


class KeylessFormatter(logging.Formatter):
    """Writes a record, its traceback included, with every API key and every stream's token cut away."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        return _SECRET.sub(r"\1…", super().format(record))
