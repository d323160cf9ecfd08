"""Say of each event which environment its key belongs to and by which door it came (events/row.py has the codes).

A column with a constant default is added without writing a row, however large the log is.
"""

from django.db import migrations, models

ADD = """
ALTER TABLE events_log
    ADD COLUMN environment smallint NOT NULL DEFAULT 0,
    ADD COLUMN door        smallint NOT NULL DEFAULT 0
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0001_event_log")]
    operations = [
        migrations.RunSQL(
            ADD,
            "ALTER TABLE events_log DROP COLUMN environment, DROP COLUMN door",
            state_operations=[
                migrations.AddField("loggedevent", "environment", models.SmallIntegerField(db_default=0)),
                migrations.AddField("loggedevent", "door", models.SmallIntegerField(db_default=0)),
            ],
        ),
    ]
