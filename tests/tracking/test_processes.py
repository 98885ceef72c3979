"""Who is still there."""

import os
import socket
import subprocess
import sys

import psutil
import pytest

from pipeline.tracking import processes

HOST = socket.gethostname()


def test_this_process_is_here_and_at_work() -> None:
    assert not processes.is_elsewhere(processes.own())
    assert not processes.is_gone(processes.own())


def test_a_process_that_has_ended_is_gone() -> None:
    code = "from pipeline import processes; print(processes.own())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert processes.is_gone(done.stdout.strip())


def test_a_number_that_is_another_s_by_now_is_that_of_a_process_that_is_gone() -> None:
    began = psutil.Process().create_time() - 60
    assert processes.is_gone(f"{HOST}/{os.getpid()}/{began:.0f}")


@pytest.mark.parametrize("name", ["elsewhere/1/0", "", "elsewhere"])
def test_nobody_here_knows_of_another_machine_s(name: str) -> None:
    assert processes.is_elsewhere(name)
    assert not processes.is_gone(name)


def test_a_name_that_no_process_gave_itself_is_nobody_s() -> None:
    assert processes.is_gone(f"{HOST}/none")


def test_a_process_that_may_not_be_looked_at_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "Process", refuse)
    assert not processes.is_gone(f"{HOST}/1/0")
