"""The documentation says what the code says: settings, variables, addresses, states, verbs, links and examples."""

from __future__ import annotations

import ast
import re
import uuid
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from schedulerui import conf, urls
from schedulerui.access import PERMISSIONS
from schedulerui.facts import FINISHED, RANK, RunState
from schedulerui.presenters.states import state_word
from tests.site.source_rules import PACKAGE, REPOSITORY, modules

DOCS = REPOSITORY / "docs"
PAGES = sorted(
    path
    for path in [*REPOSITORY.glob("*.md"), *DOCS.rglob("*.md")]
    if "_build" not in path.relative_to(REPOSITORY).parts
)
FENCE = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r'(?:\]\(|(?:src|srcset)="|^```\{image\} )([^)"\s]+)', re.MULTILINE)
READERS = {"is_on", "words"}
FOR_CELERY_AND_DJANGO = {"DJANGO_SETTINGS_MODULE"}


def page(name):
    return (DOCS / name).read_text(encoding="utf-8")


def table(text, header):
    """The rows of the table with this first heading, as lists of cells."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(f"| {header} |"):
            break
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def names(rows, column=0):
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row[column])]


def documented_settings():
    """Name, default and sentence of each setting, as the source has them."""
    (tree,) = (
        node
        for node in ast.parse((PACKAGE / "conf.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
    )
    options = conf.Settings()
    for node, after in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(node, ast.AnnAssign):
            assert isinstance(node.target, ast.Name)
            assert isinstance(after, ast.Expr), f"{node.target.id} has no sentence"
            sentence = ast.literal_eval(after.value).replace("``", "`")
            yield node.target.id, getattr(options, node.target.id), sentence


def variables_read():
    """The names that the bundled site asks the environment for."""
    for tree in modules(PACKAGE / "site").values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                is_get = (
                    name == "get" and isinstance(called, ast.Attribute) and "environ" in ast.unparse(called)
                )
                position = 0 if is_get else 1
                argument = node.args[position] if len(node.args) > position else None
                if (is_get or name in READERS) and isinstance(argument, ast.Constant):
                    yield argument.value


def test_the_settings_page_has_each_setting_with_its_default_and_sentence():
    expected = [f"| `{name}` | `{default!r}` | {text} |" for name, default, text in documented_settings()]
    found = [line for line in page("reference/settings.md").splitlines() if line.startswith("| `")]
    assert len(expected) > 10
    assert found == expected


def test_the_environment_page_names_the_variables_that_the_site_reads():
    read = {name for name in variables_read() if name not in FOR_CELERY_AND_DJANGO}
    assert len(read) > 10
    assert set(names(table(page("reference/environment.md"), "Variable"))) == read


def test_the_address_page_names_every_url_of_the_app():
    rows = table(page("reference/urls.md"), "Address")
    assert set(names(rows, column=1)) == {getattr(pattern, "name", None) for pattern in urls.urlpatterns}


def test_the_access_pages_name_every_verb_with_its_permission():
    rows = table(page("how-to/limit-access.md"), "Verb")
    assert dict(zip(names(rows), names(rows, column=1), strict=True)) == PERMISSIONS
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert set(names(table(readme, "To"), column=1)) == set(PERMISSIONS.values())


def test_the_state_page_names_every_state_with_its_word_and_whether_it_is_finished():
    rows = table(page("reference/states.md"), "State")
    expected = [[f"`{state}`", state_word(state), "yes" if state in FINISHED else ""] for state in RunState]
    assert [[row[0], row[1], row[3]] for row in rows] == expected


def test_the_life_of_a_run_has_every_state_under_its_rank_and_among_its_arrows():
    text = page("explanation/run-lifecycle.md")
    ranks = {state: int(row[0]) for row in table(text, "Rank") for state in names([row], column=1)}
    assert ranks == {str(state): rank for state, rank in RANK.items()}
    reached = set(names(table(text, "From"), column=1))
    assert reached == {str(state) for state in RunState}


def test_the_command_page_names_every_verb():
    documented = {name.split()[0] for name in names(table(page("reference/commands.md"), "Verb"))}
    with pytest.raises(CommandError) as refusal:
        call_command("schedulerui", "no-such-verb")
    known = re.search(r"choose from (.*)\)", str(refusal.value))
    assert known is not None
    assert documented == set(re.findall(r"[a-z-]+", known[1]))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_relative_link_leads_to_a_file(path):
    text = path.read_text(encoding="utf-8")
    targets = {link.partition("#")[0] for link in LINK.findall(text) if "://" not in link}
    missing = [target for target in targets if target and not (path.parent / target).exists()]
    assert missing == []


def test_every_page_stands_in_the_index():
    listed = set(re.findall(r"^[a-z-]+(?:/[a-z-]+)?$", page("index.md"), re.MULTILINE))
    pages = {str(path.relative_to(DOCS).with_suffix("")) for path in PAGES if path.is_relative_to(DOCS)}
    assert pages - {"index"} == listed


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_python_example_can_be_read_by_python(path):
    for indent, language, code in FENCE.findall(path.read_text(encoding="utf-8")):
        if language == "python":
            ast.parse("\n".join(line.removeprefix(indent) for line in code.splitlines()))


def test_the_readme_names_what_a_host_needs():
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for needed in ("django_htmx", "django_filters", "schedulerui.urls", "CELERY_APP", "beat -S schedulerui"):
        assert needed in readme


@pytest.mark.django_db(transaction=True)
def test_the_examples_of_tests_run():
    examples = [
        code for _, language, code in FENCE.findall(page("how-to/write-a-test.md")) if language == "python"
    ]
    assert len(examples) == 3
    for code in examples:
        found: dict[str, Any] = {"__name__": f"example_{uuid.uuid4().hex}"}
        exec(compile(code, "docs/how-to/write-a-test.md", "exec"), found)
        for name, function in found.items():
            if name.startswith("test_"):
                function()
