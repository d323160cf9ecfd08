from django.db import migrations


class Migration(migrations.Migration):
    """Apart from the one before: PostgreSQL alters no table in a transaction that has just filled one beside it."""

    dependencies = [
        ('experiments', '0012_model_versions_in_full'),
    ]

    operations = [
        migrations.RemoveField(model_name='modelversion', name='offline_metric'),
        migrations.RemoveField(model_name='modelversion', name='offline_value'),
    ]
