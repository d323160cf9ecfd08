from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("analysis", "0023_identities")]
    operations = [
        migrations.CreateModel(
            name="LateDay",
            fields=[
                ("day", models.DateField(primary_key=True, serialize=False)),
                ("newest_at", models.DateTimeField()),
            ],
        ),
    ]
