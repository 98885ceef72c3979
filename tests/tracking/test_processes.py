"""Whether a named process is still there."""

import os
import socket
import subprocess
import sys

import psutil
import pytest

from pipeline.tracking import processes

HOST = socket.gethostname()


def test_this_process_is_here_and_at_work() -> None:
    assert not processes.is_elsewhere(processes.this_process())
    assert not processes.is_gone(processes.this_process())


def test_a_process_that_has_ended_is_gone() -> None:
    code = "from pipeline.tracking import processes; print(processes.this_process())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert processes.is_gone(done.stdout.strip())


def test_a_process_whose_id_is_another_s_by_now_is_gone() -> None:
    began = psutil.Process().create_time() - 60
    assert processes.is_gone(f"{HOST}/{os.getpid()}/{began:.0f}")


@pytest.mark.parametrize("name", ["elsewhere/1/0", "", "elsewhere"])
def test_a_process_of_another_machine_is_never_known_to_be_gone(name: str) -> None:
    assert processes.is_elsewhere(name)
    assert not processes.is_gone(name)


def test_a_name_that_is_none_of_a_process_is_that_of_one_that_is_gone() -> None:
    assert processes.is_gone(f"{HOST}/none")


def test_a_process_that_may_not_be_looked_at_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "Process", refuse)
    assert not processes.is_gone(f"{HOST}/1/0")
