"""Guessing passwords on the bundled site: each time a process of its own with the site's real settings."""

from __future__ import annotations

import json

import pytest
from django.test import RequestFactory, override_settings

from schedulerui.web.client_address import client_address, counted_address
from tests.site.test_site_settings import run

GUESS = """
import json
import django
django.setup()
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client, override_settings
call_command("migrate", verbosity=0)
get_user_model().objects.create_superuser("ana", password="right")
client = Client()
def login(password, address="10.0.0.1"):
    answer = client.post("/login/", {"username": "ana", "password": password}, REMOTE_ADDR=address)
    return answer.status_code, answer.content.decode()
with override_settings(ALLOWED_HOSTS=["testserver"]):
    wrong = [login("guess %d" % n)[0] for n in range(9)]
    tenth, page = login("guess 10")
    right_here = login("right")[0]
    right_elsewhere = login("right", address="10.0.0.2")[0]
print(json.dumps({"wrong": wrong, "tenth": tenth, "page": page, "here": right_here, "elsewhere": right_elsewhere}))
"""


SPRAY = """
import json
import django
django.setup()
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client, override_settings
call_command("migrate", verbosity=0)
def login(name, password, address):
    answer = Client().post("/login/?next=%00", {"username": name, "password": password}, REMOTE_ADDR=address)
    return answer.status_code
with override_settings(ALLOWED_HOSTS=["testserver"], PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
    get_user_model().objects.create_superuser("ana", password="right")
    network = [login("ana", "guess", "2001:db8::%x" % n) for n in range(1, 11)]
    of_network = login("ana", "right", "2001:db8::ffff")
    stubborn = [login("eve", "guess", "10.0.0.3") for n in range(101)]
    beside = login("ana", "right", "10.0.0.3")
    spray = [login("name %d" % n, "guess", "10.0.0.1") for n in range(100)]
    nowhere = login("bob", "guess", "")
    here, elsewhere = login("ana", "right", "10.0.0.1"), login("ana", "right", "10.0.0.2")
print(json.dumps([network, of_network, spray, here, elsewhere, nowhere, stubborn, beside]))
"""


def test_many_names_from_one_address_and_many_addresses_of_one_network_are_guessing_too(tmp_path):
    done = run("-c", SPRAY, home=tmp_path, env={"SCHEDULERUI_DEBUG": "1"})
    assert done.returncode == 0, done.stderr
    network, of_network, spray, here, elsewhere, nowhere, stubborn, beside = json.loads(
        done.stdout.splitlines()[-1]
    )
    assert network == [200] * 9 + [429]
    assert of_network == 429
    assert spray == [200] * 99 + [429]
    assert here == 429
    assert elsewhere == 302
    assert nowhere == 200
    assert stubborn == [200] * 9 + [429] * 92
    assert beside == 302, "one who is locked out locks nobody else out"


@pytest.mark.parametrize(
    ("told", "counted"),
    [
        ("10.0.0.1", "10.0.0.1"), ("::ffff:10.0.0.1", "10.0.0.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"), ("", None), ("10.0.0.1:5000", "10.0.0.1"),
        ("[2001:db8:1:2::9]:443", "2001:db8:1:2::"), ("[::1]", "::"), ("unknown", None), ("unknown:80", None),
    ],
)  # fmt: skip
def test_guesses_are_counted_for_an_address_that_every_database_takes(told, counted):
    assert counted_address(RequestFactory().post("/login/", REMOTE_ADDR=told)) == counted


def test_the_tenth_wrong_password_ends_the_guessing_from_that_address_alone(tmp_path):
    done = run("-c", GUESS, home=tmp_path, env={"SCHEDULERUI_DEBUG": "1"})
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["wrong"] == [200] * 9
    assert told["tenth"] == 429
    assert "Too many attempts" in told["page"]
    assert "10 times" in told["page"]
    assert told["here"] == 429
    assert told["elsewhere"] == 302


@pytest.mark.parametrize(
    ("proxy", "forwarded", "address"),
    [
        (None, "", "10.0.0.1"),
        (None, "6.6.6.6", "10.0.0.1"),
        (("HTTP_X_FORWARDED_PROTO", "https"), "6.6.6.6, 10.0.0.9", "10.0.0.9"),
        (("HTTP_X_FORWARDED_PROTO", "https"), "", "10.0.0.1"),
    ],
)
def test_a_client_cannot_choose_the_address_that_is_counted(proxy, forwarded, address):
    request = RequestFactory().post("/login/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=forwarded)
    with override_settings(SECURE_PROXY_SSL_HEADER=proxy):
        assert client_address(request) == address
