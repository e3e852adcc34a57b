"""Taking schedules over from django-celery-beat: its rows, what they mean here, and what its beat would have done."""
