from django.db import migrations

# What the newest result of each experiment says, for pages that have no results of their own.
FILL = """
INSERT INTO experiments_standing (experiment_id, snapshot, as_of, recommendation, trustworthy, tone, headline)
SELECT DISTINCT ON (experiment_id)
    experiment_id, id, as_of, coalesce(payload->'verdict'->>'decision', ''),
    coalesce((payload->'health'->>'trustworthy')::boolean, false),
    coalesce(payload->'verdict'->>'tone', ''), coalesce(payload->'verdict'->>'headline', '')
FROM analysis_resultsnapshot ORDER BY experiment_id, id DESC
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [
        ("analysis", "0008_metric_certificates"),
        ("experiments", "0005_conclusions"),
    ]

    operations = [migrations.RunSQL(FILL, reverse_sql=migrations.RunSQL.noop)]
