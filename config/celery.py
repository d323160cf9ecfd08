"""The Celery application: durable tasks on Valkey or Redis."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Django's checks would load every page into every worker. The server has them, and `manage.py check` asks for them.
os.environ.setdefault("CELERY_SKIP_CHECKS", "true")

app = Celery("truelift")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        # A killed worker's task comes back after this many seconds, not after Celery's hour.
        "visibility_timeout": 900,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
    },
    timezone="UTC",
    enable_utc=True,
)
app.autodiscover_tasks(["experiments", "events", "analysis", "analysis.mail", "analysis.programme"])
