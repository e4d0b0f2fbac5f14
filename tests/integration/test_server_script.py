"""`script/server` on a machine that has all it needs: what it prints, what it runs, and that it installs once."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
# Stand for the real ones: every program that the script asks for is there, and pip notes that it was called.
FAKE_PRESENT = "present() { :; }\n"
FAKE_PYTHON = (
    '#!/bin/sh\ncase "$*" in *"pip install"*) echo x >>"$0.installs";; "-m compileall"*) exec python3 "$@";; esac\n'
)
FAKE_SERVICE = '#!/bin/sh\necho "$@"\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(CHECKOUT / "script", tmp_path / "script")
    with (tmp_path / "script" / "lib.sh").open("a") as library:
        library.write(FAKE_PRESENT)
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    for package in ("apiserver", "twisted"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "module.py").write_text("x = 1\n")
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    for name, text in (("python", FAKE_PYTHON), ("pip", FAKE_PYTHON), ("apiserver", FAKE_SERVICE)):
        (binaries / name).write_text(text)
        (binaries / name).chmod(0o755)
    return tmp_path


def serve(checkout: Path, *options: str) -> list[str]:
    """Its lines on stdout: two of its own, then the arguments of the service."""
    command = ["bash", str(checkout / "script" / "server"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.splitlines()


def test_it_prints_the_address_and_one_example_then_serves_with_the_options(checkout: Path) -> None:
    address, example, served = serve(checkout, "--log-level", "debug")
    assert address == "export DOCKER_HOST=unix:///run/apiserver/apiserver.sock"
    assert "docker import" in example
    assert "docker run --rm" in example
    assert served == "serve --idle-timeout 0 --log-level debug"


@pytest.mark.parametrize(
    ("options", "address"),
    [
        (["--listen", "unix:/tmp/x.sock:mode=600"], "unix:///tmp/x.sock"),
        (["--listen=unix:/tmp/y.sock"], "unix:///tmp/y.sock"),
        (["--root", "/r", "--listen", "tcp:2375:interface=127.0.0.1"], "tcp://127.0.0.1:2375"),
        (["--listen", "unix:/first", "--listen", "unix:/second"], "unix:///first"),
    ],
)
def test_the_address_is_where_the_options_make_it_listen(checkout: Path, options: list[str], address: str) -> None:
    assert serve(checkout, *options)[0] == f"export DOCKER_HOST={address}"


def test_the_package_is_installed_once_and_again_when_its_requirements_change(checkout: Path) -> None:
    installs = checkout / ".venv" / "bin" / "python.installs"
    serve(checkout)
    serve(checkout)
    assert installs.read_text().count("x") == 1
    with (checkout / "pyproject.toml").open("a") as file:
        file.write("# another requirement\n")
    serve(checkout)
    assert installs.read_text().count("x") == 2


def test_the_checkout_is_compiled_when_it_is_served_even_where_python_would_not_and_an_edit_counts(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    serve(checkout)
    (compiled,) = (checkout / "apiserver" / "__pycache__").glob("module.*.pyc")
    module = checkout / "apiserver" / "module.py"
    module.write_text("x = 'edited'\n")
    later = module.stat().st_mtime + 2  # compiled modules know their source's time in whole seconds
    os.utime(module, (later, later))
    said = subprocess.run(
        ["python3", "-c", "import module; print(module.x)"],
        cwd=checkout / "apiserver",
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "edited\n"
    before = compiled.read_bytes()
    serve(checkout)
    assert compiled.read_bytes() != before


def test_the_example_makes_a_root_in_which_the_shell_runs(checkout: Path, tmp_path: Path) -> None:
    example = serve(checkout)[1]
    root = tmp_path / "root"
    root.mkdir()
    archive = subprocess.run(["bash", "-c", example.split(" | docker")[0]], capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", root], input=archive, check=True)
    said = subprocess.run(["chroot", root, "/bin/sh", "-c", "echo hello"], capture_output=True, text=True, check=True)
    assert said.stdout == "hello\n"
