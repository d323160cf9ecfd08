"""The Celery application of beat: the whole schedule, and none of the code that it calls for.

Beat knows tasks by their names. With their code it was six times as large and took five seconds of processor to start.
"""

import os

from celery import Celery

from config.schedule import SCHEDULE

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("truelift", set_as_current=False)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    beat_schedule=SCHEDULE,
    broker_connection_retry_on_startup=True,
    timezone="UTC",
    enable_utc=True,
)
