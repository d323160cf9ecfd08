"""Whether each page asks the database as often of many experiments as of few.

    .venv/bin/python -m benchmarks.queries [--few 100] [--many 2000]

Fills two projects (benchmarks.portfolio) in a PostgreSQL of its own, asks for every page of both in process, and prints
the pages whose number of queries differs, and those that ask most. Takes five minutes and leaves nothing behind.
"""

import argparse
from typing import Any

from benchmarks.refresh import database

SHOWN = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=100)
    parser.add_argument("--many", type=int, default=2000)
    options = parser.parse_args()
    with database():
        from django.conf import settings

        settings.ALLOWED_HOSTS = ["*"]
        settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
        few, many = (counted(f"of-{number}", number) for number in (options.few, options.many))
    differing = [name for name, counts in many.items() if counts != few.get(name)]
    print(f"{len(many)} kinds of pages, {options.few} and {options.many:,} experiments; {len(differing)} differ:")
    for name in differing:
        print(f"  {name}: {few.get(name)} and {many[name]}")
    print("most queries:", *sorted(((max(counts), name) for name, counts in many.items()), reverse=True)[:SHOWN])


def counted(slug: str, experiments: int) -> dict[str, list[int]]:
    """Fill a project and return the queries of each kind of page, one number for each thing that it is about."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from benchmarks import addresses, portfolio
    from experiments.models import User

    reader = User.objects.create(email=f"reader@{slug}.example", name="Reader")
    portfolio.fill(slug, experiments, 20, 4, email=reader.email)
    client: Any = Client()
    client.force_login(reader)
    found: dict[str, list[int]] = {}
    for name, path in addresses.addresses(slug):
        if not is_page(client.get(path)):  # the first time it may keep a reading
            continue
        with CaptureQueriesContext(connection) as asked:
            client.get(path)
        found.setdefault(name, []).append(len(asked.captured_queries))
    return found


def is_page(answer: Any) -> bool:
    return answer.status_code == 200 and "html" in answer["Content-Type"]


if __name__ == "__main__":
    main()
