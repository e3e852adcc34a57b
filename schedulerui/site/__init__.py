"""The bundled site: a host of the app like any other, with the processes that `make run` starts."""

from __future__ import annotations
