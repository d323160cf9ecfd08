import django.db.models.deletion
from django.db import migrations, models

# Experiments with a fallback were folded without the units that only the fallback names.
FOLD_ANEW = """
UPDATE analysis_foldedexperiment f SET plan = 'fallback' FROM experiments_experiment x
WHERE x.id = f.experiment_id AND x.fallback_unit_type <> ''
"""


def project():
    return models.ForeignKey(
        db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+",
        to="experiments.project",
    )


class Migration(migrations.Migration):
    dependencies = [("analysis", "0022_notes_and_share_links"), ("experiments", "0014_wizard")]
    operations = [
        migrations.CreateModel(
            name="Link",
            fields=[
                ("pk", models.CompositePrimaryKey("project_id", "alias", "user_id", blank=True, editable=False, primary_key=True, serialize=False)),
                ("alias", models.TextField()),
                ("user_id", models.TextField()),
                ("linked_at", models.DateTimeField()),
                ("project", project()),
            ],
            options={"indexes": [models.Index(fields=["project", "user_id"], name="links_of_a_user")]},
        ),
        migrations.CreateModel(
            name="Identity",
            fields=[
                ("pk", models.CompositePrimaryKey("project_id", "alias", blank=True, editable=False, primary_key=True, serialize=False)),
                ("alias", models.TextField()),
                ("person", models.TextField()),
                ("project", project()),
            ],
            options={"indexes": [models.Index(fields=["project", "person"], name="aliases_of_a_person")]},
        ),
        migrations.RunSQL(FOLD_ANEW, migrations.RunSQL.noop),
    ]
