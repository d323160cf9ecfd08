"""Log lines without API keys: some protocols carry the key in the address, and any message may quote one."""

import logging
import re

_KEY = re.compile(r"\btl_[A-Za-z0-9_-]{6,}")


class KeylessFormatter(logging.Formatter):
    """Writes a record, its traceback included, with every key cut to its first letters."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        return _KEY.sub("tl_…", super().format(record))
