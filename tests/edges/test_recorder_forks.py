"""A pool process that is forked while the main process writes can write, too."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys

# In a process of its own: a fork of this one would take the tests' threads and connections along. A fork waits for what is
# written; that nothing is written for ever, and that the other thread is inside, is waited for by events.
PROGRAM = """
import os, threading
import django
django.setup()
from django.db import OperationalError, connections
from schedulerui.recorder.connection import close_connection, connected

inside, forking = threading.Event(), threading.Event()
os.register_at_fork(before=forking.set)

@connected
def write(wait=lambda: None):
    cursor = connections["default"].cursor()
    cursor.execute("BEGIN IMMEDIATE")
    try:
        cursor.execute("INSERT INTO told VALUES (1)")
        wait()
    finally:
        cursor.execute("COMMIT")

def be_slow():
    inside.set()
    assert forking.wait(60)
    threading.Event().wait(0.2)  # in which a fork that does not wait is made

def run():
    write(be_slow)
    close_connection()

thread = threading.Thread(target=run)
thread.start()
assert inside.wait(60)
child = os.fork()
if not child:
    try:
        write()
    except OperationalError:
        os._exit(7)
    os._exit(0)
thread.join()
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_a_pool_process_that_is_forked_during_a_write_finds_no_lock_that_never_ends(tmp_path):
    path = tmp_path / "db.sqlite3"
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE told (n)")
    database.commit()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE_URL": f"sqlite:///{path}",
    }
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=100, env=environment)
    assert database.execute("SELECT count(*) FROM told").fetchone() == (2,)
    database.close()
