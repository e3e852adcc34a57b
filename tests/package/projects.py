"""The foreign projects: their files lie here as text, so that neither the linter nor the test runner takes them for ours."""

from __future__ import annotations

from pathlib import Path

HOSTS = Path(__file__).parent / "hosts"


def lay_out(name: str, project: Path) -> None:
    """Write the project of a host into a folder that is not there yet: what all have in common, and its own."""
    (project / "templates").mkdir(parents=True)
    for source in [*HOSTS.glob("*.txt"), *(HOSTS / name).glob("*.txt")]:
        inside = "templates/" if source.name.endswith(".html.txt") else ""
        (project / f"{inside}{source.name.removesuffix('.txt')}").write_text(source.read_text())
