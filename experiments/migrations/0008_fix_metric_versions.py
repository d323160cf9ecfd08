"""Keep each metric's definition as its first version, and fix it in every experiment that has started."""

from django.db import migrations

COLUMNS = """
kind, event, property, filters, denominator_event, denominator_property, denominator_filters, refund_event,
refund_property, steps, level, delay_hours, window_hours, minimum_hours, cap_value, cap_share, covariate_days
"""
FIRST = f"""
INSERT INTO experiments_metricversion (metric_id, number, note, created_by_id, created_at, {COLUMNS})
SELECT id, 1, '', created_by_id, created_at, {COLUMNS} FROM experiments_metric
"""
FIX = """
UPDATE experiments_experimentmetric p SET version_id = v.id
FROM experiments_metricversion v, experiments_experiment x
WHERE v.metric_id = p.metric_id AND x.id = p.experiment_id AND x.started_at IS NOT NULL
"""


class Migration(migrations.Migration):
    dependencies = [("experiments", "0007_metric_versions")]

    operations = [
        migrations.RunSQL(FIRST, "DELETE FROM experiments_metricversion"),
        migrations.RunSQL(FIX, "UPDATE experiments_experimentmetric SET version_id = NULL"),
    ]
