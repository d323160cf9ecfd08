"""What the fold needs of the database: look-ups in the event log, and numbers read safely out of properties.

The log itself indexes users and devices. Ids too long to be a unit stay out of the indexes, so that no event is refused
because its id does not fit into an index page.
"""

from django.db import migrations

EXPOSURE = """
CREATE INDEX events_log_exposure ON events_log (project_id, experiment, at) WHERE char_length(experiment) <= 80
"""
UNIT = """
CREATE INDEX events_log_{unit} ON events_log (project_id, (props ->> '{unit}_id'), at)
    WHERE props ? '{unit}_id' AND char_length(props ->> '{unit}_id') <= 255
"""
UNITS = ["session", "account", "impression"]

# A number is a JSON number, or a text that reads as one. Beyond 10^18 it is a mistake: such values count as missing.
# Rounded to what the column holds, so that a sum of sums equals one sum. One expression, so that PostgreSQL inlines it.
NUMBER = r"""
CREATE FUNCTION analysis_number(raw jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN jsonb_typeof(raw) = 'number' OR (jsonb_typeof(raw) = 'string'
             AND raw #>> '{}' ~ '^\s*[+-]?[0-9]{1,18}(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,2})?\s*$')
        THEN CASE WHEN abs((raw #>> '{}')::numeric) < 1e18 THEN round((raw #>> '{}')::numeric, 10) END
    END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("analysis", "0003_folded_experiments"), ("events", "0001_event_log")]
    operations = [
        migrations.RunSQL(NUMBER, "DROP FUNCTION analysis_number(jsonb)"),
        migrations.RunSQL(EXPOSURE, "DROP INDEX events_log_exposure"),
        *(migrations.RunSQL(UNIT.format(unit=unit), f"DROP INDEX events_log_{unit}") for unit in UNITS),
    ]
