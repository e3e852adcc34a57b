"""A batch of messages for Redis: one round trip, and what is known of each message when it goes wrong."""

from __future__ import annotations

import pytest
from redis.exceptions import ResponseError

from schedulerui import redis_client


class Connection:
    """What is needed of redis-py's connection: it answers with what it was given, and raises what is an error."""

    def __init__(self, answers):
        self.answers, self.sent, self.is_open = list(answers), [], True

    def pack_commands(self, commands):
        return list(commands)

    def send_packed_command(self, commands):
        if not self.answers:
            raise ConnectionError("broken pipe")
        self.sent += commands

    def read_response(self):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def disconnect(self):
        self.is_open = False


class Pool:
    def __init__(self, connection):
        self.connection, self.n_released = connection, 0

    def get_connection(self):
        if isinstance(self.connection, Exception):
            raise self.connection
        return self.connection

    def release(self, connection):
        self.n_released += 1


class Client:
    def __init__(self, connection):
        self.connection_pool, self.done = Pool(connection), []

    def lpush(self, key, value):
        self.done.append((key, value))

    def sadd(self, key, value):
        self.done.append((key, value))


def an_outbox(*messages, answers=(), connection=None):
    """An outbox in which each message waits; a message is a list of values."""
    client = Client(connection or Connection(answers))
    outbox = redis_client.Outbox(client)
    for values in messages:
        outbox.collect()
        with outbox as given:
            for value in values:
                given.lpush("celery", value)
        assert outbox.end_message()
    return outbox, client


def test_what_is_collected_goes_in_its_order_with_the_flush():
    outbox, client = an_outbox(["a"], ["b", "c"], answers=[1, 2, 3])
    assert client.done == []
    outbox.flush()
    assert client.connection_pool.connection.sent == [("LPUSH", "celery", value) for value in "abc"]
    assert client.connection_pool.n_released == 1
    outbox.flush()
    assert len(client.connection_pool.connection.sent) == 3


def test_what_is_not_collected_goes_at_once_and_so_does_every_other_command():
    outbox, client = an_outbox()
    with outbox as given:
        given.lpush("celery", "a")
    outbox.collect()
    with outbox as given:
        given.sadd("_kombu.binding.celery", "b")
    assert not outbox.end_message()
    assert client.done == [("celery", "a"), ("_kombu.binding.celery", "b")]


def test_a_message_that_could_not_be_prepared_leaves_nothing_behind():
    outbox, client = an_outbox(["a"], answers=[1])
    outbox.collect()
    with outbox as given:
        given.lpush("celery", "half of it")
    outbox.drop_message()
    outbox.flush()
    assert client.connection_pool.connection.sent == [("LPUSH", "celery", "a")]


def lost(outbox):
    with pytest.raises(redis_client.NotAllTaken) as raised:
        outbox.flush()
    return set(raised.value.refused), set(raised.value.in_doubt)


def test_a_broker_that_cannot_be_reached_has_taken_nothing():
    outbox, _client = an_outbox(["a"], ["b"], connection=ConnectionRefusedError("refused"))
    assert lost(outbox) == ({0, 1}, set())


def test_a_connection_that_breaks_while_the_batch_is_sent_leaves_it_in_doubt():
    outbox, client = an_outbox(["a"], ["b"])
    assert lost(outbox) == (set(), {0, 1})
    assert not client.connection_pool.connection.is_open


def test_what_was_answered_before_a_connection_broke_is_known():
    outbox, client = an_outbox(["a"], ["b", "c"], ["d"], answers=[1, 2, TimeoutError("too slow")])
    assert lost(outbox) == (set(), {1, 2})
    assert not client.connection_pool.connection.is_open
    assert client.connection_pool.n_released == 1


def test_a_refusal_says_nothing_about_the_messages_beside_it():
    full = ResponseError("OOM command not allowed")
    outbox, client = an_outbox(["a"], ["b"], ["c"], answers=[1, full, 3])
    assert lost(outbox) == ({1}, set())
    assert client.connection_pool.connection.is_open


def test_a_message_of_which_a_part_was_refused_is_in_doubt():
    outbox, _client = an_outbox(["a", "b"], answers=[1, ResponseError("OOM")])
    assert lost(outbox) == (set(), {0})


def test_keys_get_the_prefix_of_the_client():
    outbox, client = an_outbox(["a"], answers=[1])
    client._prefix_args = lambda command: (command[0], f"mine:{command[1]}", *command[2:])
    outbox.flush()
    assert client.connection_pool.connection.sent == [("LPUSH", "mine:celery", "a")]
