"""Keep beside each enrolment when its variants' outputs first differed, and whether the app reports that at all."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("analysis", "0004_fold_support"),
        ("events", "0002_environment_and_door"),
        ("experiments", "0002_flags_layers_and_holdouts"),
    ]
    operations = [
        migrations.AddField("enrolment", "triggered_at", models.DateTimeField(null=True)),
        migrations.AddField("enrolment", "reports_difference", models.BooleanField(db_default=False, default=False)),
    ]
