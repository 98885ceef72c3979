"""By what a process is known to others: its machine, its number, and when it began."""

import socket

import psutil


def own() -> str:
    """The name of this process."""
    process = psutil.Process()
    return f"{socket.gethostname()}/{process.pid}/{process.create_time():.0f}"


def is_elsewhere(name: str) -> bool:
    """Whether a name is of another machine, or of none."""
    return name.partition("/")[0] != socket.gethostname()


def is_gone(name: str) -> bool:
    """Whether a process of this machine has ended, and its number is nobody's or another's."""
    if is_elsewhere(name):
        return False
    try:
        _, pid, created = name.split("/")
        # The name has whole seconds.
        return abs(psutil.Process(int(pid)).create_time() - float(created)) > 1
    except psutil.AccessDenied:
        return False
    except (psutil.NoSuchProcess, ValueError):
        return True
