"""The event log and its partition for everything outside the daily partitions."""

from django.db import migrations, models

CREATE = """
CREATE TABLE events_log (
    project_id   integer     NOT NULL,
    id           uuid        NOT NULL,
    ts           timestamptz NOT NULL,
    at           timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    name         text        NOT NULL,
    user_id      text,
    anonymous_id text,
    experiment   text,
    variant      text,
    props        jsonb       NOT NULL,
    xid          xid8        NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT events_log_unique UNIQUE (project_id, id, ts),
    CONSTRAINT exposure_names_its_variant CHECK ((experiment IS NULL) = (variant IS NULL))
) PARTITION BY RANGE (ts);
CREATE INDEX events_log_xid ON events_log (xid);
CREATE INDEX events_log_ts ON events_log USING brin (ts);
CREATE INDEX events_log_user ON events_log (project_id, user_id, at) WHERE user_id IS NOT NULL;
CREATE INDEX events_log_anonymous ON events_log (project_id, anonymous_id, at) WHERE anonymous_id IS NOT NULL;
CREATE TABLE events_log_other PARTITION OF events_log DEFAULT;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.RunSQL(
            CREATE,
            "DROP TABLE events_log",
            state_operations=[
                migrations.CreateModel(
                    name="LoggedEvent",
                    fields=[
                        ("pk", models.CompositePrimaryKey("project_id", "id", "ts", blank=True, editable=False, primary_key=True, serialize=False)),
                        ("project_id", models.IntegerField()),
                        ("id", models.UUIDField()),
                        ("ts", models.DateTimeField()),
                        ("at", models.DateTimeField()),
                        ("received_at", models.DateTimeField()),
                        ("name", models.TextField()),
                        ("user_id", models.TextField(null=True)),
                        ("anonymous_id", models.TextField(null=True)),
                        ("experiment", models.TextField(null=True)),
                        ("variant", models.TextField(null=True)),
                        ("props", models.JSONField()),
                    ],
                    options={"db_table": "events_log", "managed": False},
                )
            ],
        ),
    ]
