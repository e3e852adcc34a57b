from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('schedulerui', '0009_schedule_source_app'),
    ]

    operations = [
        migrations.AddField(
            model_name='run',
            name='promoted_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
