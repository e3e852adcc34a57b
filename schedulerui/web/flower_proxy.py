"""One request to Flower and its cleaned answer: what may cross, and what never does.

Spoken with the standard library's ``http.client``: urllib3 and requests are not dependencies of this app (Flower brings tornado,
whose client wants an event loop), and one request on one loopback connection needs neither a pool nor retries.

Both directions have a list of the headers that may pass; everything else stays behind: our session cookie and any
``Authorization`` on the way in, Flower's ``Set-Cookie`` (its ``_xsrf`` would lie at our root), ``WWW-Authenticate`` and the
hop-by-hop headers on the way out.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from django.utils.translation import gettext as _

from schedulerui.conf import settings

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 2.0
"""Seconds for the connection: Flower listens on loopback."""
READ_TIMEOUT = 10.0
"""Seconds without a byte: a worker's page waits for that worker's answers, one second each."""
CHUNK = 64 * 1024
"""Bytes read at a time; an answer is never held as a whole."""

FORWARDED = (
    "Accept", "Accept-Language", "Content-Type", "If-Modified-Since", "If-None-Match", "If-Range", "Origin", "Range",
    "Sec-Fetch-Site", "User-Agent", "X-Requested-With",
)  # fmt: skip
RETURNED = (
    "Accept-Ranges", "Allow", "Content-Disposition", "Content-Length", "Content-Range", "Content-Type", "ETag",
    "Last-Modified",
)  # fmt: skip

_PATH_SAFE = "/@:~!$&'()*+,;="
_QUERY_SAFE = "/@:~!$&'()*+,;=?%[]"


class FlowerUnavailable(Exception):
    """Flower cannot be shown: why, and what to do about it, a sentence each."""

    def __init__(self, reason: str, *, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Where Flower listens and how it is asked. ``prefix`` begins and ends with a slash."""

    scheme: str
    host: str
    port: int
    prefix: str
    authorization: str = ""

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request to Flower; ``path`` is decoded and below the prefix, ``host`` is the one that the browser sees."""

    method: str
    path: str
    query: str
    host: str
    headers: Mapping[str, str]
    body: bytes = b""


class Body:
    """The pieces of an answer as they come; can be read once, and closes the connection at the end or on ``close``."""

    def __init__(
        self, *, connection: http.client.HTTPConnection, response: http.client.HTTPResponse, first: bytes
    ) -> None:
        self._connection = connection
        self._response = response
        self._first = first

    def __iter__(self) -> Iterator[bytes]:
        piece, self._first = self._first, b""
        try:
            while piece:
                yield piece
                piece = self._response.read1(CHUNK)
            if self._response.length:  # read1 takes an early end for an end
                raise http.client.IncompleteRead(b"", self._response.length)
        except (OSError, http.client.HTTPException):
            # The status is out already: only a broken connection can tell the browser that something is missing.
            logger.warning("Flower broke off its answer", extra={"action": "flower_broke_off"})
            raise
        finally:
            self.close()

    def close(self) -> None:
        self._response.close()
        self._connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Flower said; the body can be read once."""

    status: int
    headers: dict[str, str]
    body: Body


def prefix_of(url: str) -> str:
    """Return the path under which Flower at ``url`` makes its links, with a slash at both ends."""
    path = urlsplit(url).path.strip("/")
    return f"/{path}/" if path else "/"


def upstream() -> Upstream:
    """Return Flower's address and credentials as they are now; raises FlowerUnavailable.

    The file is read each time: the password changes whenever Flower is started anew.
    """
    url = settings().FLOWER_URL
    if not url:
        raise FlowerUnavailable(
            _("Flower is not set up here."),
            remedy=_(
                "Start Flower on loopback and set FLOWER_URL in the SCHEDULERUI setting to its address."
            ),
        )
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise FlowerUnavailable(
            _("The address of Flower cannot be used."),
            remedy=_('Set FLOWER_URL to an address like "http://127.0.0.1:5555/flower/".'),
        )
    return Upstream(
        scheme=parts.scheme,
        host=parts.hostname,
        port=port,
        prefix=prefix_of(url),
        authorization=_authorization(settings().FLOWER_AUTH_FILE),
    )


def is_plain(path: str) -> bool:
    """Return whether a decoded path stays where it is: no empty, ``.`` or ``..`` step, no backslash, nothing unprintable."""
    if not path:
        return True
    # Looked at once more decoded: another decoding on the way must not find a step that was hidden from this one.
    shapes = (path, unquote(path))
    steps = [step for shape in shapes for step in shape.removesuffix("/").split("/")]
    return not {"", ".", ".."} & set(steps) and all(
        shape.isprintable() and "\\" not in shape for shape in shapes
    )


def ask(flower: Upstream, question: Question) -> Answer:
    """Send one request to Flower and return its answer, whose body streams; raises FlowerUnavailable."""
    with contextlib.ExitStack() as on_failure:
        connection = on_failure.enter_context(contextlib.closing(_connect(flower)))
        with _explained(flower):
            connection.request(
                question.method,
                _target(flower, question),
                body=question.body or None,
                headers=_headers(flower, question),
            )
            response = on_failure.enter_context(contextlib.closing(connection.getresponse()))
            # The first piece is awaited here: until it has come, a failure can still become a page with a sentence.
            first = response.read1(CHUNK)
        _refuse_unauthorized(response)
        on_failure.pop_all()
    body = Body(connection=connection, response=response, first=first)
    return Answer(status=response.status, headers=_cleaned(response, flower), body=body)


@contextlib.contextmanager
def _explained(flower: Upstream) -> Iterator[None]:
    """Turn what goes wrong on the connection into FlowerUnavailable."""
    try:
        yield
    except TimeoutError as error:
        raise FlowerUnavailable(
            _("Flower at %(address)s takes the connection and does not answer.")
            % {"address": flower.address},
            remedy=_("Look at Flower's log, then start it again."),
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise FlowerUnavailable(
            _("Flower at %(address)s broke off its answer.") % {"address": flower.address},
            remedy=_("Try again; if it stays so, look at Flower's log."),
        ) from error


def _refuse_unauthorized(response: http.client.HTTPResponse) -> None:
    if response.status == http.client.UNAUTHORIZED:
        raise FlowerUnavailable(
            _("Flower refused the password of this dashboard."),
            remedy=_("Start Flower with the user and password of the file that FLOWER_AUTH_FILE names."),
        )


def _connect(flower: Upstream) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if flower.scheme == "https" else http.client.HTTPConnection
    connection = kind(flower.host, flower.port, timeout=CONNECT_TIMEOUT)
    try:
        connection.connect()
    except OSError as error:
        connection.close()
        raise FlowerUnavailable(
            _("Flower does not answer at %(address)s.") % {"address": flower.address},
            remedy=_(
                "See whether Flower is running, and start it again. Schedules and workers do not need it."
            ),
        ) from error
    connection.sock.settimeout(READ_TIMEOUT)
    return connection


def _authorization(file_name: str) -> str:
    if not file_name:
        return ""
    try:
        credentials = Path(file_name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        logger.warning("Flower's password cannot be read", extra={"action": "flower_auth_unreadable"})
        raise FlowerUnavailable(
            _("The file with Flower's password cannot be read."),
            remedy=_("Let FLOWER_AUTH_FILE name a file of this process's user that holds user:password."),
        ) from error
    return "Basic " + base64.b64encode(credentials.encode()).decode("ascii")


def _target(flower: Upstream, question: Question) -> str:
    path = flower.prefix + quote(question.path, safe=_PATH_SAFE)
    # WSGI hands the query over as latin-1; whatever is not plain is escaped, so that no byte can end the request line.
    query = quote(question.query.encode("latin-1", "replace"), safe=_QUERY_SAFE)
    return f"{path}?{query}" if query else path


def _headers(flower: Upstream, question: Question) -> dict[str, str]:
    sent = {name: question.headers[name] for name in FORWARDED if name in question.headers}
    # The browser's host: Flower compares it with the Origin that it is given.
    sent |= {"Host": question.host, "Connection": "close"}
    if flower.authorization:
        sent["Authorization"] = flower.authorization
    return sent


def _cleaned(response: http.client.HTTPResponse, flower: Upstream) -> dict[str, str]:
    kept = {name: value for name in RETURNED if (value := response.getheader(name)) is not None}
    location = response.getheader("Location")
    if location is not None:
        kept["Location"] = _inside(location, flower.prefix)
    return kept


def _inside(location: str, prefix: str) -> str:
    """Return a redirect's target as a path below our mount; anything that leads elsewhere leads to its first page."""
    parts = urlsplit(location)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    inside = parts.path.startswith(prefix) and is_plain(unquote(parts.path.removeprefix(prefix)))
    return target if inside else prefix
