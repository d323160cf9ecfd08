"""``manage.py import_experiments``: past experiments that other tools ran, from a file of summaries."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from analysis.past.asking import pairs
from analysis.past.keeping import USUAL_CORRELATION, Wanted, keep
from analysis.tables.command import FileCommand
from analysis.tables.refusal import RefusalError
from experiments.models import Project


class Command(FileCommand):
    """Keep the effects of one file."""

    help = "Bring past experiments into a project's evidence from a CSV or Parquet file of summaries."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("project", metavar="PROJECT", help="the project's slug")
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--name", metavar="NAME", help="of the import; the file's name where left out")
        parser.add_argument("--source", default="", help="where the numbers come from; shown with them")
        parser.add_argument("--columns", default="", metavar="n=COL,mean=COL,…", help="where they are called otherwise")
        parser.add_argument("--metrics", default="", metavar="THEIRS=OURS,…", help="metrics that are called otherwise")
        parser.add_argument(
            "--correlation", type=float, default=USUAL_CORRELATION, help="assumed noise that two metrics share"
        )

    def answer(self, options: dict[str, Any]) -> str:
        """Keep the file's effects and say what was kept and what was not."""
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:10]) or "none yet"
            raise RefusalError(f"there is no project {options['project']!r}; there is {known}")
        file: Path = options["file"]
        kept, is_new = keep(
            project,
            None,
            Wanted(
                file=file, file_name=file.name, name=options["name"] or file.name.split(".")[0],
                source=options["source"], correlation=options["correlation"],
                columns=pairs(options["columns"].split(","), "our name", "their column"),
                metrics=pairs(options["metrics"].split(","), "their name", "our key"),
            ),
        )  # fmt: skip
        if not is_new:
            return f"{file.name} was here already as {kept.name}; nothing changed."
        said = [f"{kept.treatments:,} treatments of {kept.name} count in {project.slug} now."]
        said += [f"Left out, {reason}: {count:,}." for reason, count in kept.left.items()]
        return "\n".join(said)
