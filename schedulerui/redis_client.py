"""What one channel of Redis sends goes through one client, and a batch of messages in one round trip.

kombu makes a new client for every message and waits for the answer to each, which is more than half of what a message costs.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

Command = tuple[Any, ...]
FIRST_WITHOUT_NAMES = (5, 3)
"""The first redis-py whose pool is asked for a connection without the name of a command."""


def timeouts(url: object, *, connect: float, answer: float) -> dict[str, float]:
    """Return socket time-outs (seconds) as options of kombu's Redis transport, which has none by default; for others, none."""
    if not str(url or "").startswith(("redis", "rediss", "valkey")):
        return {}
    return {"socket_connect_timeout": connect, "socket_timeout": answer}


def reading(celery_app: Any, *, within: float) -> dict[str, float]:
    """Return the same for the broker that an app reads from, each ``within`` seconds."""
    conf = celery_app.conf
    return timeouts(conf.broker_read_url or conf.broker_url, connect=within, answer=within)


class NotAllTaken(Exception):
    """The broker did not take a whole batch; ``refused`` and ``in_doubt`` are places in the order of collecting.

    What is in neither was taken. What is refused was not; of what is in doubt nobody knows.
    """

    def __init__(self, cause: BaseException, *, refused: frozenset[int], in_doubt: frozenset[int]) -> None:
        super().__init__(str(cause))
        self.cause, self.refused, self.in_doubt = cause, refused, in_doubt


class _Collecting:
    """A client that keeps the commands which hand a message over, and does all others at once."""

    def __init__(self, client: Any, commands: list[Command]) -> None:
        self._client, self._commands = client, commands

    def lpush(self, key: Any, *values: Any) -> None:
        self._commands.append(("LPUSH", key, *values))

    def publish(self, topic: Any, payload: Any) -> None:
        self._commands.append(("PUBLISH", topic, payload))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class Outbox:
    """The one client of a channel, and what waits for its batch. Belongs to the thread of its producer."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._commands: list[Command] = []
        self._ends: list[int] = []
        self._collecting = _Collecting(client, self._commands)
        self._given = client

    def __enter__(self) -> Any:
        return self._given

    def __exit__(self, *_error: object) -> None:
        return None

    def collect(self) -> None:
        """Keep from now on what would be sent."""
        self._given = self._collecting

    def end_message(self) -> bool:
        """Send at once again; returns whether anything was kept since the last end: one message of the batch."""
        self._given = self._client
        if len(self._commands) == (self._ends[-1] if self._ends else 0):
            return False
        self._ends.append(len(self._commands))
        return True

    def drop_message(self) -> None:
        """Send at once again, and forget what was kept since the last end."""
        self._given = self._client
        del self._commands[self._ends[-1] if self._ends else 0 :]

    def forget(self) -> None:
        """Forget what was kept."""
        self._given = self._client
        self._commands.clear()
        self._ends.clear()

    def flush(self) -> None:
        """Send what was kept, once and in its order; raises NotAllTaken."""
        commands, ends = list(self._commands), list(self._ends)
        self.forget()
        if not commands:
            return
        pool = self._client.connection_pool
        try:
            connection = _connection_of(pool)
        except Exception as error:
            raise NotAllTaken(error, refused=frozenset(range(len(ends))), in_doubt=frozenset()) from error
        try:
            answers = self._exchange(connection, commands)
        finally:
            pool.release(connection)
        _judge(answers, ends)

    def _exchange(self, connection: Any, commands: Sequence[Command]) -> list[BaseException | None]:
        """Return what became of each command: None if it was done, a refusal, or the error after which nothing is known.

        A connection that broke in between is closed: an answer that comes late must not be taken for another one's.
        """
        prefixed = getattr(self._client, "_prefix_args", None)
        given = commands if prefixed is None else [prefixed(command) for command in commands]
        refusal = _refusal()
        answers: list[BaseException | None] = []
        try:
            connection.send_packed_command(connection.pack_commands(given))
            for _ in commands:
                try:
                    connection.read_response()
                    answers.append(None)
                except refusal as error:
                    answers.append(error)
        except BaseException as error:
            connection.disconnect()
            if not isinstance(error, Exception):
                raise
            answers += [_Unknown(error)] * (len(commands) - len(answers))
        return answers


class _Unknown(Exception):
    """Nobody knows whether this command was done."""


def keep_one(channel: Any) -> Outbox | None:
    """Let this channel use one client for all that it publishes; returns its outbox, None if it is no channel of Redis.

    A client takes its connections from the channel's pool, which connects anew by itself. A channel that kombu opens after
    a failure is another one and makes its clients as before, and so does every other transport and an unknown kombu.
    """
    create = getattr(channel, "_create_client", None)
    if create is None or not hasattr(channel, "conn_or_acquire"):
        return None
    outbox = Outbox(create())

    def conn_or_acquire(client: Any = None) -> Any:
        return outbox if client is None else Outbox(client)

    channel.conn_or_acquire = conn_or_acquire
    return outbox


def _judge(answers: Sequence[BaseException | None], ends: Sequence[int]) -> None:
    """Raise NotAllTaken unless every command of every message was done."""
    error = next((answer for answer in answers if answer is not None), None)
    if error is None:
        return
    refused: set[int] = set()
    in_doubt: set[int] = set()
    start = 0
    for place, end in enumerate(ends):
        of_message = answers[start:end]
        start = end
        if all(answer is None for answer in of_message):
            continue
        is_refused = not any(answer is None or isinstance(answer, _Unknown) for answer in of_message)
        (refused if is_refused else in_doubt).add(place)
    cause = error.args[0] if isinstance(error, _Unknown) else error
    raise NotAllTaken(cause, refused=frozenset(refused), in_doubt=frozenset(in_doubt)) from error


def _connection_of(pool: Any) -> Any:
    """Return a connection that is known to be open; raises what redis-py raises."""
    version = importlib.import_module("redis").__version__
    if tuple(int(part) for part in version.split(".")[:2]) < FIRST_WITHOUT_NAMES:
        return pool.get_connection("LPUSH")
    return pool.get_connection()


def _refusal() -> type[Exception]:
    """Return the error of an answer that says no; redis-py is there where a channel of Redis is."""
    found: type[Exception] = importlib.import_module("redis.exceptions").ResponseError
    return found
