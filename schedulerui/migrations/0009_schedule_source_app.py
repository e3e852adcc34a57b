from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('schedulerui', '0008_part_start_token'),
    ]

    operations = [
        migrations.AddField(
            model_name='schedule',
            name='source_app',
            field=models.CharField(blank=True, default='', editable=False, max_length=190),
        ),
    ]
