"""Tasks of the demonstration: small jobs with something to see; they know nothing of Django."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

from celery import Task, shared_task
from celery.utils.log import get_task_logger

logger = get_task_logger(__name__)


def _home() -> Path:
    return Path(os.environ.get("SCHEDULERUI_HOME") or ".run")


def _work(seconds: float, *, step: float = 0.25) -> None:
    """Spend the time in small waits, so that a time limit or a shutdown can come between."""
    for _ in range(int(seconds / step)):
        time.sleep(step)


@shared_task
def heartbeat() -> str:
    """Say that everything from beat to worker is alive."""
    logger.info("alive in process %d", os.getpid())
    return "alive"


@shared_task
def tidy_files(folder: str = "logs") -> dict[str, int]:
    """Count the files of a folder of the home and their size."""
    files = [path for path in (_home() / folder).glob("*") if path.is_file()]
    return {"files": len(files), "bytes": sum(path.stat().st_size for path in files)}


@shared_task
def fetch_rates(base: str = "EUR", quote: str = "USD") -> dict[str, object]:
    """Return an exchange rate: one step of a random walk around 1.1."""
    rate = 1.1 + random.gauss(0, 0.01)
    return {"pair": f"{base}/{quote}", "rate": round(rate, 4)}


@shared_task
def send_digest(recipients: int = 40) -> str:
    """Write a digest to invented recipients; slow, 8 seconds."""
    _work(8)
    return f"digest written for {recipients} recipients"


@shared_task
def flaky_import(source: str = "warehouse") -> int:
    """Import records; every third time the source is not there, and the task fails."""
    _work(0.5)
    if random.randrange(3) == 0:  # noqa: S311 - chance for show
        message = f"{source} did not answer"
        raise ConnectionError(message)
    return random.randrange(100, 5000)  # noqa: S311 - chance for show


@shared_task
def broken_export(path: str = "/nowhere/export.csv") -> None:
    """Fail, always: the folder does not exist."""
    message = f"No such folder for {path}"
    raise FileNotFoundError(message)


@shared_task
def rebuild_index(documents: int = 1000) -> dict[str, int]:
    """Build a small search index in memory."""
    index: dict[int, list[int]] = {}
    for document in range(documents):
        index.setdefault(document % 97, []).append(document)
    _work(1)
    return {"documents": documents, "terms": len(index)}


@shared_task
def long_report(pages: int = 12) -> str:
    """Write a report of many pages; one second each."""
    for page in range(1, pages + 1):
        logger.info("page %d of %d", page, pages)
        _work(1)
    return f"{pages} pages"


@shared_task(bind=True, max_retries=3)
def sync_contacts(self: Task[Any, Any], account: str = "demo") -> str:
    """Answer at the third attempt: twice the service is busy and the task asks to be tried again 2 seconds later."""
    attempt = self.request.retries + 1
    if attempt < 3:  # noqa: PLR2004 - the docstring says which attempt
        raise self.retry(countdown=2, exc=TimeoutError(f"the contact service is busy (attempt {attempt})"))
    return f"{account} in step after {attempt} attempts"
