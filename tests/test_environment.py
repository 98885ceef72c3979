"""What the machine of a user has set does not reach into the project."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import requests

ROOT = Path(__file__).parents[1]


def test_the_commands_are_found_where_pythonsafepath_is_set(tmp_path: Path) -> None:
    (line,) = re.findall(
        r"^WORKING_DIRECTORY := (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
    )
    (tmp_path / "working_directory.pth").write_text(f"{line}\n", "utf-8")
    # Without the site-packages, where an installation has put that file already.
    script = f"import site; site.addsitedir({str(tmp_path)!r}); import pipeline"
    for value in ("", "1"):
        subprocess.run(
            [sys.executable, "-S", "-c", script],
            cwd=ROOT,
            env=os.environ | {"PYTHONSAFEPATH": value},
            check=True,
        )


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_clone_has_the_same_bytes_whatever_git_does_to_line_ends(
    line_end: bytes, tmp_path: Path
) -> None:
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    origin.mkdir()
    files = {
        ".gitattributes": (ROOT / ".gitattributes").read_bytes(),
        "params.yaml": b"a: 1" + line_end,
        "rows.csv": b"x,y" + line_end + b"1,2" + line_end,
        "code.py": b"print()" + line_end,
        "model.bin": b"\x00\n\r\n\r",
    }
    for name, content in files.items():
        (origin / name).write_bytes(content)

    def git(*arguments: str | Path) -> None:
        identity = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.org"]
        options = [*identity, "-c", "core.autocrlf=true", "-c", "core.safecrlf=false"]
        subprocess.run(["git", *options, *arguments], check=True, capture_output=True)

    git("init", "--quiet", origin)
    git("-C", origin, "add", "--all")
    git("-C", origin, "commit", "--quiet", "--message", "files")
    git("clone", "--quiet", origin, clone)
    assert {name: (clone / name).read_bytes() for name in files} == files


@pytest.mark.long  # MLflow takes ten seconds to start
def test_the_ui_answers_this_machine_alone_and_ctrl_c_ends_it_quietly(
    tmp_path: Path, empty_store: Path
) -> None:
    shutil.copy(empty_store, tmp_path)
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    (tmp_path / ".venv").symlink_to(Path(sys.prefix), target_is_directory=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # Without its prerequisites, which are installed.
    command = ["make", "ui", f"PORT={port}", "--assume-old=.venv/run.stamp"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    ) as server:  # fmt: skip
        while server.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        processes = psutil.Process(server.pid).children(recursive=True)
        sockets = [one.laddr.ip for process in processes for one in process.net_connections()]
        search = f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/search"
        answers = {
            header: requests.post(
                search, json={"max_results": 1}, headers=dict([header]), timeout=60
            ).status_code
            for header in (
                ("Host", f"localhost:{port}"), ("Host", "example.org"), ("Host", "10.example.org"),
                ("Host", "192.168.0.1"), ("Origin", f"http://127.0.0.1:{port}"),
                ("Origin", "http://example.org"), ("Origin", "null"),
            )
        }  # fmt: skip
        foreign = {"Origin": "http://example.org"}
        read = requests.get(f"{search}?max_results=1", headers=foreign, timeout=60)
        os.killpg(server.pid, signal.SIGINT)
        printed, _ = server.communicate(timeout=60)
    assert set(sockets) == {"127.0.0.1"}
    assert list(answers.values()) == [200, 403, 403, 403, 200, 403, 403]
    # Without it, a browser keeps the answer from the page of the other site.
    assert "Access-Control-Allow-Origin" not in read.headers
    assert f"http://127.0.0.1:{port}/" in printed
    assert "Traceback" not in printed
    assert "Error" not in printed


@pytest.mark.long
@pytest.mark.parametrize("extra", ["azure", "gpu", "gs", "ray", "s3", "ssh"])
def test_the_packages_of_an_extra_can_be_installed(tmp_path: Path, extra: str) -> None:
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv").symlink_to(Path(sys.prefix), target_is_directory=True)
    lock = f"requirements/{extra}.txt"
    make = ["make", "--dry-run", "--assume-old=.venv/run.stamp", f"--what-if={lock}"]
    recipe = subprocess.run(
        [*make, f".venv/{extra}.stamp"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    (install,) = [line for line in recipe.splitlines() if line.endswith(lock)]
    done = subprocess.run(
        ["sh", "-c", f"{install} --dry-run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
