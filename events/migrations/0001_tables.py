"""Every table as it stood when the first migrations were drawn together; what has applied those goes on from here."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ('events', '0003_catalogue'),
        ('events', '0004_imports'),
        ('events', '0005_seen_hours'),
        ('events', '0006_arrivals'),
    ]

    dependencies = [
        ('experiments', '0001_tables'),
    ]

    operations = [
        migrations.CreateModel(
            name='LoggedEvent',
            fields=[
                ('pk', models.CompositePrimaryKey('project_id', 'id', 'ts', blank=True, editable=False, primary_key=True, serialize=False)),
                ('project_id', models.IntegerField()),
                ('id', models.UUIDField()),
                ('ts', models.DateTimeField()),
                ('at', models.DateTimeField()),
                ('received_at', models.DateTimeField()),
                ('name', models.TextField()),
                ('user_id', models.TextField(null=True)),
                ('anonymous_id', models.TextField(null=True)),
                ('experiment', models.TextField(null=True)),
                ('variant', models.TextField(null=True)),
                ('props', models.JSONField()),
                ('environment', models.SmallIntegerField(db_default=0)),
                ('door', models.SmallIntegerField(db_default=0)),
            ],
            options={
                'db_table': 'events_log',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='CatalogueMark',
            fields=[
                ('name', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('xid', models.PositiveBigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='SeenEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='seen_events', to='experiments.project')),
                ('name', models.CharField(max_length=255)),
                ('first_at', models.DateTimeField()),
                ('last_at', models.DateTimeField()),
                ('events', models.PositiveBigIntegerField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project', 'name'), name='an_event_is_seen_once')],
            },
        ),
        migrations.CreateModel(
            name='SeenDay',
            fields=[
                ('pk', models.CompositePrimaryKey('event_id', 'environment', 'day', blank=True, editable=False, primary_key=True, serialize=False)),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='days', to='events.seenevent')),
                ('environment', models.SmallIntegerField()),
                ('day', models.DateField()),
                ('events', models.PositiveBigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='SeenHour',
            fields=[
                ('pk', models.CompositePrimaryKey('event_id', 'hour', blank=True, editable=False, primary_key=True, serialize=False)),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='hours', to='events.seenevent')),
                ('hour', models.DateTimeField()),
                ('events', models.PositiveBigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='ArrivalDay',
            fields=[
                ('pk', models.CompositePrimaryKey('event_id', 'door', 'day', blank=True, editable=False, primary_key=True, serialize=False)),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='arrivals', to='events.seenevent')),
                ('door', models.SmallIntegerField()),
                ('day', models.DateField()),
                ('events', models.PositiveBigIntegerField()),
                ('late', models.PositiveBigIntegerField()),
                ('corrected', models.PositiveBigIntegerField()),
                ('farthest', models.PositiveBigIntegerField()),
                ('missing', models.PositiveBigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='DuplicateDay',
            fields=[
                ('pk', models.CompositePrimaryKey('event_id', 'door', 'day', blank=True, editable=False, primary_key=True, serialize=False)),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='duplicates', to='events.seenevent')),
                ('door', models.SmallIntegerField()),
                ('day', models.DateField()),
                ('events', models.PositiveBigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='SeenProperty',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='properties', to='events.seenevent')),
                ('key', models.CharField(max_length=255)),
                ('type', models.CharField(max_length=10)),
                ('example', models.CharField(max_length=80)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('event', 'key', 'type'), name='a_property_is_seen_once')],
            },
        ),
        migrations.CreateModel(
            name='Import',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='imports', to='experiments.project')),
                ('digest', models.CharField(max_length=32)),
                ('reading', models.CharField(max_length=32)),
                ('file', models.CharField(max_length=255)),
                ('size', models.PositiveBigIntegerField()),
                ('rows_done', models.PositiveBigIntegerField(default=0)),
                ('stored', models.PositiveBigIntegerField(default=0)),
                ('refused', models.JSONField(default=dict)),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('finished_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'events_import',
                'constraints': [models.UniqueConstraint(fields=('project', 'digest', 'reading'), name='a_file_is_imported_once_per_reading')],
            },
        ),
    ]
