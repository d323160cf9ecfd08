"""What the fold needs of the database beside its tables, and what keeps a result that was shown as it was shown.

Look-ups in the event log (which itself indexes users and devices; ids too long to be a unit stay out), numbers read safely
out of properties, filters as JSON paths, funnels step by step; and triggers that refuse to change a snapshot.
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

# A filter as a JSON path: a number is also met by a text that reads as it, "is not" by what is not there, a list by any
# of its entries. Unlike types are unknown, and unknown is no match.
EQUALS = """
CREATE FUNCTION analysis_equals(place text, value jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(value) = 'number'
                THEN place || ' == ' || value::text || ' || ' || place || ' == ' || to_jsonb(value #>> '{}')::text
                ELSE place || ' == ' || value::text END
$$;
"""
PATH = """
CREATE FUNCTION analysis_path(filters jsonb) RETURNS jsonpath LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT string_agg('(' || CASE f ->> 'operator'
        WHEN 'exists' THEN 'exists(' || p || ' ? (@ != null))'
        WHEN 'contains' THEN p || ' like_regex ' || (f -> 'value')::text || ' flag "iq"'
        WHEN '=' THEN analysis_equals(p, f -> 'value')
        WHEN '!=' THEN '!(' || analysis_equals(p, f -> 'value') || ')'
        WHEN 'in' THEN (SELECT string_agg(analysis_equals(p, v), ' || ') FROM jsonb_array_elements(f -> 'value') v)
        ELSE p || '.double() ' || (f ->> 'operator') || ' ' || (f -> 'value')::text
    END || ')', ' && ' ORDER BY n)::jsonpath
    FROM jsonb_array_elements(filters) WITH ORDINALITY AS e(f, n)
    CROSS JOIN LATERAL (SELECT '$.' || (f -> 'property')::text AS p) q
$$;
"""

# Four significant digits: a quantile is then off by at most 0.05 % of itself, and a unit's rows stay few.
ROUNDED = """
CREATE FUNCTION analysis_rounded(value numeric) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN value = 0 THEN 0 ELSE round(value, least(10, 3 - floor(log(abs(value::float8)))::int)) END
$$;
"""
HASHED = """
CREATE FUNCTION analysis_hashed(raw jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ('x' || substr(md5(raw #>> '{}'), 1, 16))::bit(64)::bigint::numeric
$$;
"""
STEP = """
CREATE FUNCTION analysis_step(reached timestamptz[], at timestamptz, step bigint) RETURNS timestamptz[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF step = cardinality(reached) + 1 AND (step = 1 OR at > reached[step - 1]) THEN RETURN reached || at; END IF;
    RETURN reached;
END
$$;
"""
STEPS = """
CREATE AGGREGATE analysis_steps(timestamptz, bigint) (sfunc = analysis_step, stype = timestamptz[], initcond = '{}')
"""

CREATE = """
CREATE FUNCTION analysis_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a result snapshot is immutable: write a new one instead of changing %', OLD.id
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER analysis_resultsnapshot_immutable BEFORE UPDATE ON analysis_resultsnapshot
    FOR EACH ROW EXECUTE FUNCTION analysis_refuse_change();
"""
DROP = "DROP TRIGGER analysis_resultsnapshot_immutable ON analysis_resultsnapshot; DROP FUNCTION analysis_refuse_change();"
IMMUTABLE = """
CREATE TRIGGER analysis_banditbatch_immutable BEFORE UPDATE ON analysis_banditbatch
    FOR EACH ROW EXECUTE FUNCTION analysis_refuse_change();
"""


class Migration(migrations.Migration):
    replaces = [("analysis", "0002_immutable_snapshots"), ("analysis", "0004_fold_support")]
    dependencies = [("analysis", "0001_tables"), ("events", "0002_event_log")]
    operations = [
        migrations.RunSQL(NUMBER, "DROP FUNCTION analysis_number(jsonb)"),
        migrations.RunSQL(EXPOSURE, "DROP INDEX events_log_exposure"),
        *(migrations.RunSQL(UNIT.format(unit=unit), f"DROP INDEX events_log_{unit}") for unit in UNITS),
        migrations.RunSQL(EQUALS, "DROP FUNCTION analysis_equals(text, jsonb)"),
        migrations.RunSQL(PATH, "DROP FUNCTION analysis_path(jsonb)"),
        migrations.RunSQL(ROUNDED, "DROP FUNCTION analysis_rounded(numeric)"),
        migrations.RunSQL(HASHED, "DROP FUNCTION analysis_hashed(jsonb)"),
        migrations.RunSQL(STEP, "DROP FUNCTION analysis_step(timestamptz[], timestamptz, bigint)"),
        migrations.RunSQL(STEPS, "DROP AGGREGATE analysis_steps(timestamptz, bigint)"),
        migrations.RunSQL(CREATE, DROP),
        migrations.RunSQL(IMMUTABLE, "DROP TRIGGER analysis_banditbatch_immutable ON analysis_banditbatch"),
    ]
