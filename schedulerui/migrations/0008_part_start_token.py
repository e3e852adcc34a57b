from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('schedulerui', '0007_view_metrics'),
    ]

    operations = [
        migrations.AddField(
            model_name='part',
            name='start_token',
            field=models.CharField(blank=True, max_length=64, null=True),
        ),
    ]
