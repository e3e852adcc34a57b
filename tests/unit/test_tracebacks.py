from __future__ import annotations

import pytest

from schedulerui.presenters.tracebacks import folded

LIBRARIES = (
    "/srv/venv/lib/python3.12/site-packages/celery/app/trace.py", "/usr/lib/python3/dist-packages/x.py", "/usr/lib64/python3.11/json/decoder.py",
    r"C:\venv\Lib\site-packages\celery\x.py", "<frozen importlib._bootstrap>",
)  # fmt: skip
PROJECT = (
    "/srv/shop/tasks.py",
    "/home/lib/orders/lib/a.py",
    "shop/tasks.py",
    "<string>",
    "/opt/python-shop/tasks.py",
)


def frame(path, indent="  "):
    return f'{indent}File "{path}", line 3, in work\n{indent}  call()\n{indent}  ^^^^'


def traceback(*frames):
    return "\n".join(["Traceback (most recent call last):", *frames, "ValueError: 1"])


@pytest.mark.parametrize("path", LIBRARIES)
def test_frames_of_libraries_become_a_count(path):
    text = folded(traceback(frame(path), frame(path), frame(PROJECT[0]), frame(path)))
    assert text == traceback("  … 2 frames of libraries", frame(PROJECT[0]), "  … 1 frame of a library")


@pytest.mark.parametrize("path", PROJECT)
def test_frames_of_the_project_stay(path):
    assert frame(path) in folded(traceback(frame(LIBRARIES[0]), frame(path)))


def test_nothing_is_folded_where_all_frames_are_of_one_kind():
    assert folded(traceback(frame(PROJECT[0]))) == ""
    assert folded(traceback(frame(LIBRARIES[0]), frame(LIBRARIES[1]))) == ""
    assert folded("boom") == folded("") == ""


def test_causes_and_groups_of_exceptions_keep_their_words():
    group = "\n".join(
        ["  + Exception Group Traceback (most recent call last):", frame(LIBRARIES[0], "  |   "), frame(PROJECT[0], "  |   "), "  | ExceptionGroup: m",
         "  +-+---------------- 1 ----------------", "    | ValueError: 1", "    +------------------------------------"]
    )  # fmt: skip
    text = folded(
        f"{traceback(frame(LIBRARIES[0]))}\n\nDuring handling of the above exception, another exception occurred:\n\n{group}"
    )
    for words in (
        "During handling",
        "ValueError: 1",
        "ExceptionGroup: m",
        "  |   … 1 frame of a library",
        frame(PROJECT[0], "  |   "),
    ):
        assert words in text
    assert "site-packages" not in text


def test_folding_reads_a_hostile_text_once():
    line = '  File "' + "/x" * 500 + '", line 1'
    assert folded("\n".join([line, frame(LIBRARIES[0]), "|+- " * 10_000] * 50)).count("… 1 frame") == 50
