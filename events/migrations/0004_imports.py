"""How far each import of a file has come."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("events", "0003_catalogue"), ("experiments", "0001_initial")]
    operations = [
        migrations.CreateModel(
            name="Import",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=32)),
                ("reading", models.CharField(max_length=32)),
                ("file", models.CharField(max_length=255)),
                ("size", models.PositiveBigIntegerField()),
                ("rows_done", models.PositiveBigIntegerField(default=0)),
                ("stored", models.PositiveBigIntegerField(default=0)),
                ("refused", models.JSONField(default=dict)),
                ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="imports", to="experiments.project"
                    ),
                ),
            ],
            options={
                "db_table": "events_import",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("project", "digest", "reading"), name="a_file_is_imported_once_per_reading"
                    )
                ],
            },
        ),
    ]
