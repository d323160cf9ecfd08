"""A result that was shown stays as it was shown: the database refuses to change a snapshot."""

from django.db import migrations

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


class Migration(migrations.Migration):
    dependencies = [("analysis", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, DROP)]
