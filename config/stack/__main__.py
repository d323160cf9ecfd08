"""``python -m config.stack``: what ``make run`` starts."""

import sys

from config.stack.options import parse
from config.stack.supervisor import Supervisor

if __name__ == "__main__":
    sys.exit(Supervisor(parse(sys.argv[1:])).run())
