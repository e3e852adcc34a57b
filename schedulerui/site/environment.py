"""What the bundled site takes from the environment, and where things lie in its home; no Django here."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

SOCKET_PATH_LIMIT = 103
"""Most bytes of a unix socket's path: macOS has 104 with the closing zero, Linux 108."""

_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+-]+")
_TRUE = {"1", "true", "yes", "on"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The folder that holds the database, the logs, the secrets and the sockets of one installation."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "db.sqlite3"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def static(self) -> Path:
        return self.root / "static"

    @property
    def spool(self) -> Path:
        return self.root / "spool"

    @property
    def broker_data(self) -> Path:
        return self.root / "broker"

    @property
    def lock(self) -> Path:
        return self.root / "run.lock"

    @property
    def secret_key(self) -> Path:
        return self.root / "secret.key"

    @property
    def admin_password(self) -> Path:
        return self.root / "admin.password"

    @property
    def flower_auth(self) -> Path:
        return self.root / "flower.auth"

    @property
    def supervisor_conf(self) -> Path:
        return self.root / "supervisord.conf"

    @property
    def runtime_note(self) -> Path:
        """The file that names the folder of the sockets where the home's own path is too long for them."""
        return self.root / "runtime.path"

    @property
    def runtime(self) -> Path:
        """The folder of the sockets: the home itself, unless a shorter one was noted."""
        if self.runtime_note.is_file():
            return Path(self.runtime_note.read_text(encoding="utf-8").strip())
        return self.root

    @property
    def broker_socket(self) -> Path:
        return self.runtime / "broker.sock"

    @property
    def supervisor_socket(self) -> Path:
        return self.runtime / "supervisor.sock"

    @property
    def holds_sockets(self) -> bool:
        """Whether every socket's path is short and plain enough to be bound and to stand in a URL."""
        longest = str(self.root / "supervisor.sock")
        # supervisord binds "<path>.<pid>" first and renames it.
        return len(os.fsencode(longest)) + len(".4194304") <= SOCKET_PATH_LIMIT and bool(
            _PLAIN_PATH.fullmatch(longest)
        )


def home_of(environ: Mapping[str, str]) -> Home:
    """Return the home that ``SCHEDULERUI_HOME`` names, else ``.run`` in the current folder; always absolute."""
    given = environ.get("SCHEDULERUI_HOME") or ".run"
    return Home(root=Path(given).expanduser().absolute())


def is_on(environ: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    """Return whether the variable says yes (1, true, yes, on); ``default`` when it is not set."""
    value = environ.get(name, "").strip().lower()
    return value in _TRUE if value else default


def words(environ: Mapping[str, str], name: str, *, default: tuple[str, ...] = ()) -> list[str]:
    """Return the variable's comma-separated words."""
    given = [word.strip() for word in environ.get(name, "").split(",")]
    return [word for word in given if word] or list(default)


def alert_channels(environ: Mapping[str, str]) -> list[dict[str, object]]:
    """Return where alerts go: the given e-mail addresses and the given webhook; none by default."""
    found: list[dict[str, object]] = []
    addresses = words(environ, "SCHEDULERUI_ALERT_EMAILS")
    if addresses:
        found.append({"type": "email", "name": "email", "to": addresses})
    url = environ.get("SCHEDULERUI_ALERT_WEBHOOK", "").strip()
    if url:
        found.append({"type": "webhook", "name": "webhook", "url": url})
    return found


def broker_url(environ: Mapping[str, str], home: Home) -> str:
    """Return the broker's URL: the given one, else the embedded broker's socket."""
    return environ.get("CELERY_BROKER_URL") or f"redis+socket://{home.broker_socket}?virtual_host=0"


def transport_options(url: str) -> dict[str, object]:
    """Return the kombu options that the kind of broker needs for not losing messages."""
    scheme = urlsplit(url).scheme
    if scheme.startswith(("redis", "valkey", "sentinel")):
        # Every 10 s look for messages of dead workers; kombu's own throttle would make that every 100 s. One that is killed
        # while it looks would keep the others from it for 5 minutes.
        return {
            "visibility_timeout": 3600,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": 60,
        }
    if scheme in {"amqp", "amqps", "pyamqp", "py-amqp"}:
        # Without it a publish to a full or dying RabbitMQ is lost in silence.
        return {"confirm_publish": True}
    return {}


def secret_key(environ: Mapping[str, str], home: Home) -> str:
    """Return the given secret key, else the home's, else a random one for this process alone; writes nothing."""
    if given := environ.get("SCHEDULERUI_SECRET_KEY"):
        return given
    try:
        kept = home.secret_key.read_text(encoding="utf-8").strip()
    except OSError:
        kept = ""
    return kept or secrets.token_urlsafe(64)
