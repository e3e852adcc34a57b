"""Private servers for service tests: own directory, own free port on 127.0.0.1, own processes, gone at the end."""

from __future__ import annotations
