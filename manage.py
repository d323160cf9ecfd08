#!/usr/bin/env python
"""Django's command line for Truelift."""

import os
import sys


def main() -> None:
    """Run one management command against the settings of this checkout."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        from config.commandline import run
    except ImportError:
        sys.exit("Django is not installed here. Run `make setup`, then use `.venv/bin/python manage.py ...`.")
    sys.exit(run(sys.argv))


if __name__ == "__main__":
    main()
