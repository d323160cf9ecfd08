"""The event log, its partition for everything outside the daily partitions, and the indexes by which it is looked up.

Ids too long to be a unit stay out of the indexes for units, so that no event is refused because its id does not fit into
an index page. ``environment`` and ``door`` are numbers: events/row.py says what they stand for.
"""

from django.db import migrations

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
    environment  smallint    NOT NULL DEFAULT 0,
    door         smallint    NOT NULL DEFAULT 0,
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
    replaces = [("events", "0001_event_log"), ("events", "0002_environment_and_door")]
    dependencies = [("events", "0001_tables")]
    operations = [migrations.RunSQL(CREATE, "DROP TABLE events_log")]
