"""``manage.py pull_mlflow PROJECT MODEL --uri URL``: bring a model's versions up to date with an MLflow registry."""

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from experiments.mlflow import Registry, RegistryError, pull
from experiments.models import Project


class Command(BaseCommand):
    """Pull versions with what their runs measured; done twice, the second changes nothing."""

    help = "Bring a model's versions up to date with an MLflow registry."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what is asked for."""
        parser.add_argument("project", help="the project's short name, as in its addresses")
        parser.add_argument("model", help="the model's name in the registry")
        parser.add_argument("--uri", default=os.environ.get("MLFLOW_TRACKING_URI", ""), help="the tracking server")
        parser.add_argument("--name", default="", help="the model's name here, where it is another")

    def handle(self, *_: Any, **asked: Any) -> None:
        """Pull, and print what came of it. Who asks is told by MLflow's own variables, never on the command line."""
        project = Project.objects.filter(slug=asked["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {asked['project']!r}.")
        if not asked["uri"]:
            raise CommandError("Give --uri, or set MLFLOW_TRACKING_URI: the address of the MLflow tracking server.")
        registry = Registry(
            uri=asked["uri"],
            token=os.environ.get("MLFLOW_TRACKING_TOKEN", ""),
            user=os.environ.get("MLFLOW_TRACKING_USERNAME", ""),
            password=os.environ.get("MLFLOW_TRACKING_PASSWORD", ""),
            hosts=settings.REGISTRY_HOSTS,
        )
        try:
            pulled = pull(project, None, registry, asked["model"], asked["name"])
        except RegistryError as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write(pulled.sentence)
