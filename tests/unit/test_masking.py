"""Secrets in texts and values: found by the name before them in every shape that tasks write them in, and in addresses."""

from __future__ import annotations

import json

import pytest

from schedulerui.error_text import error_text
from schedulerui.operations.masking import masked
from schedulerui.presenters import redact
from schedulerui.presenters.blocks import tidied

SECRET = "hunter2-and-no-other"
LONG = "eyJ" + "x" * 3_000 + SECRET

TEXTS = (
    f"password={SECRET}",
    f"password   = {SECRET}",
    f"'password' => '{SECRET}'",
    f"password: b'a {SECRET}'",
    f"Order(password='it\\'s {SECRET}', store=138)",
    f'{{"password": "quo\\"ted {SECRET}"}}',
    json.dumps({"body": json.dumps({"password": f"two words {SECRET}"})}),
    json.dumps(json.dumps(json.dumps({"api_key": SECRET}))),
    f"Authorization: Bearer {LONG}",
    f'"access_token": "{LONG}"',
    f"X-Api-Key: {SECRET}",
    f"x-api-key={SECRET}",
    f"apiKey={SECRET}",
    f"https://shop.test/hook?store=1&token={SECRET}",
    f"cannot reach postgres://shop:{SECRET}@db.test:5432/shop",
    f"redis://:{SECRET}@127.0.0.1/0 is away",
    f"amqp://guest:p@ss{SECRET}@mq.test//",
    f"set-cookie: sessionid={SECRET}",
    f"private_key: {SECRET}",
    f'{{"password": ["a", "{SECRET}"], "store": 138}}',
    f"{{'password': ('a', b'{SECRET}'), 'store': 138}}",
    f"password=[1, {SECRET}]",
    f'"tokens": [["a"], ["b", {{"c": "{SECRET}"}}]]',
    json.dumps({"password": ["a", SECRET], "store": 138}, indent=2),
    json.dumps({"body": json.dumps({"password": ["a", SECRET]})}),
)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    "shape", [str, lambda text: f"before\n{text}\nafter"], ids=["alone", "in the middle"]
)
def test_no_secret_is_left_in_a_text(text, shape):
    shown = masked(shape(text))
    assert SECRET not in shown
    assert shape is str or (shown.startswith("before") and shown.endswith("after")), shown


@pytest.mark.parametrize("text", TEXTS)
def test_no_secret_is_left_in_a_text_among_values(text):
    for value in ([text], {"note": text}, {"deep": [{"er": (text,)}]}):
        assert SECRET not in repr(redact(value))
    assert SECRET not in tidied(repr([text]))


LINE = "MIIEpAIBAAKCAQEA7bq/hunter2+and/no+other"
HEAD = "-----BEGIN RSA PRIVATE KEY-----"
KEY = f"{HEAD}\n{LINE}\n{LINE}\nhunter2=\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        f"private_key: {KEY}",
        f"says {KEY!r}",
        json.dumps({"note": json.dumps({"note": KEY})}),
        KEY.replace("RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK"),
        KEY.replace("RSA PRIVATE", "PRIVATE"),
        KEY.replace(f"{HEAD}\n", f"{HEAD}\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,1F\n\n"),
        KEY.replace("\n", "\r\n"),
        KEY.partition("=\n-----END")[0],
        repr(KEY.partition("\nhunter2=")[0]),
        f"{HEAD}\n{KEY}",
    ],
)
def test_no_private_key_is_left_in_a_text(text):
    shown = masked(f"before\n{text}")
    assert "hunter2" not in shown
    assert shown.startswith("before\n")
    assert masked(f"{KEY}\nafter") == "***\nafter"


def test_a_list_that_is_cut_off_hides_all_of_it():
    assert masked(f'{{"password": ["a", "{SECRET}') == '{"password": ***'


def test_a_bracket_that_nothing_closes_hides_its_line_alone():
    assert (
        masked("Unexpected token: [ in JSON\nat 3 of order.py") == "Unexpected token: ***\nat 3 of order.py"
    )


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "DB_PASSWORD",
        "X-Api-Key",
        "x-api-key",
        "api key",
        "apiKey",
        "Cookie",
        "AccessKey",
        "passphrase",
    ],
)
def test_a_name_is_known_however_it_is_spelt(key):
    assert SECRET not in repr(redact({"headers": [{key: [SECRET]}]}))


@pytest.mark.parametrize(
    "text",
    [
        "took 3 s: https://shop.test:8080/a@b", "mail ana@shop.test: yes", "the secret of good food", "12:30:05",
        "http://shop.test/", "redis://127.0.0.1:6379/0", "keyboard=de", f"no {HEAD} in the file", "[1, 2] (a)", "C:\\shop\\x: 5",
    ],
)  # fmt: skip
def test_what_is_no_secret_stays(text):
    assert masked(text) == text
    assert redact({"text": [text]}) == {"text": [text]}


@pytest.mark.parametrize(
    "text",
    ["password" * 8_000, "token" + "." * 60_000, "password=" * 8_000, 'password="' * 6_000, "a://" * 15_000,
     "a://b:" + "c" * 60_000, "token\\\\" * 9_000, "password='" + "\\" * 60_000, "token" + " " * 60_000, "http://" + "x:" * 30_000,
     "password=[" * 100_000, "password=[\n" * 90_000, 'password=["' * 90_000, "password=[" + "[]" * 500_000, "password=[" + "a" * 1_000_000,
     "password=" + "[" * 1_000_000, "token={'a':(" * 80_000, "password=[" + "\n" * 1_000_000, "password=[" + ",\n" * 500_000,
     f"{HEAD}\n" * 31_000, f"{HEAD}{LINE}\n" * 14_000, HEAD + "a-" * 500_000, HEAD + " " * 1_000_000, "-----BEGIN " + "A" * 1_000_000],
    ids=range(24),
)  # fmt: skip
@pytest.mark.timeout(20)
def test_no_text_takes_long(text):
    assert isinstance(masked(text), str)


@pytest.mark.parametrize("pair", [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("depth", [150, 450, 900, 60_000])
def test_values_nested_deeper_than_anybody_reads_are_cut_there(pair, depth):
    text = pair[0] * depth + "1" + pair[1] * depth
    assert tidied(text)
    value: object = 1
    for _level in range(depth):
        value = [value] if pair[0] == "[" else {"a": value}
    shown = redact(value)
    assert "…" in json.dumps(shown, ensure_ascii=False)


def test_an_error_in_one_line_says_no_password_of_an_address():
    error = ConnectionError("no way to\n redis://:s3same@there:6379/0, nor to amqp://ana:s3same@here//")
    assert (
        error_text(error)
        == "ConnectionError: no way to redis://:***@there:6379/0, nor to amqp://ana:***@here//"
    )
    assert "s3same" not in error_text(error, limit=25)
