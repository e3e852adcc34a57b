"""Environments of their own for foreign projects: our wheel, the host's packages, our dependencies lent, this checkout not."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
PIP = (sys.executable, "-m", "pip")
QUIET = ("--quiet", "--disable-pip-version-check")
UNREACHABLE = (
    "NewConnectionError",
    "ConnectionError",
    "No matching distribution",
    "Read timed out",
    "ProxyError",
)
"""What pip says where it gets no answer from the index, or an empty one."""


def done(*command, cwd):
    """Run a command that knows nothing of the tests' environment and return its output."""
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    result = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True,
        timeout=200, check=False,
    )  # fmt: skip
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def build_wheel(folder):
    """Build the wheel of this checkout into the folder and return its path."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=REPOSITORY, check=True, capture_output=True, timeout=200,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


def make_environment(home, wheel):
    """Make an environment with the wheel and return its interpreter.

    A path file in a path file's folder is not followed, so the editable install of this checkout stays out of sight.
    """
    venv.create(home, with_pip=False)
    interpreter = home / "bin" / "python"
    site = Path(
        done(interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home).strip()
    )
    (site / "lent.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    done(
        *PIP,
        "--python",
        interpreter,
        "install",
        *QUIET,
        "--no-deps",
        "--no-index",
        "--force-reinstall",
        wheel,
        cwd=home,
    )
    return interpreter


def install_host(interpreter, name):
    """Install the packages of a host, as `requirements/hosts/` pins them, from the package index."""
    requirements = REPOSITORY / "requirements"
    result = subprocess.run(
        [
            *PIP, "--python", str(interpreter), "install", *QUIET, "--only-binary=:all:",
            "-c", str(requirements / "lock.txt"), "-r", str(requirements / "hosts" / f"{name}.txt"),
        ],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    if result.returncode == 0:
        return
    said = f"{result.stdout}\n{result.stderr}"
    if any(word in said for word in UNREACHABLE):
        pytest.fail(
            f"{name} could not be installed: the package index was not reached, or does not have what "
            f"requirements/hosts/{name}.txt names.\n{said}",
            pytrace=False,
        )
    pytest.fail(f"{name} could not be installed.\n{said}", pytrace=False)
