"""Names of processes: the machine, the process id and the time when it began."""

import socket

import psutil


def this_process() -> str:
    """The name of this process."""
    process = psutil.Process()
    return f"{socket.gethostname()}/{process.pid}/{process.create_time():.0f}"


def is_elsewhere(name: str) -> bool:
    """Whether a name is that of a process of another machine, or no name at all."""
    return name.partition("/")[0] != socket.gethostname()


def is_gone(name: str) -> bool:
    """Whether a process of this machine has ended; its id may belong to another by now."""
    if is_elsewhere(name):
        return False
    try:
        _, pid, created = name.split("/")
        # The name states whole seconds.
        return abs(psutil.Process(int(pid)).create_time() - float(created)) > 1
    except psutil.AccessDenied:
        return False
    except (psutil.NoSuchProcess, ValueError):
        return True
