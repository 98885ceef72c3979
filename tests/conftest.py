"""What all tests share."""

import gc
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.imports import ROOT, imports, libraries, reached

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

HEAVY = {"keras", "mlflow", "tensorflow"}
# They need a PostgreSQL server or the permission to mount, which a user may not have.
MAY_BE_SKIPPED = {
    "tests/end_to_end/test_faults.py::test_a_full_disk_costs_neither_the_last_model_nor_the_next",
    "tests/end_to_end/test_sweep.py::test_two_processes_on_one_database_share_the_trials",
    "tests/sweep/test_study.py::test_machines_on_one_database_share_the_trials",
}
# The same examples each time, and on a busy machine as well as on an idle one.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("quick", settings.get_profile("steady"), max_examples=25)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An mlflow.db without runs, to be copied: to make one takes MLflow seconds."""
    from pipeline.tracking.store import Store  # MLflow, which few tests need

    root = tmp_path_factory.mktemp("store")
    # By name: what the environment says is put aside for single tests only.
    Store("another", f"sqlite:///{root}/mlflow.db", root)
    return root / "mlflow.db"


@pytest.fixture
def own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No store but the test's, whatever the shell that runs it has set."""
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME"):
        monkeypatch.setenv(name, "")
    yield
    if "mlflow" in sys.modules:
        # It keeps it for the process, and in its environment.
        sys.modules["mlflow"].set_tracking_uri("")


@pytest.fixture
def store(tmp_path: Path, empty_store: Path, own_environment: None) -> "Store":  # noqa: ARG001 - for what it does; usefixtures is for tests alone
    """A store of the test's own, at tmp_path, and in it the experiment trials."""
    from pipeline.tracking.store import Store  # MLflow, which few tests need

    shutil.copy(empty_store, tmp_path)
    return Store("trials", None, tmp_path)


@pytest.fixture
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL database of the test's own."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        pytest.skip("PostgreSQL's server is not installed (Debian: postgresql)")
    # It stands where the PATH of a plain shell may not look.
    runuser = shutil.which("runuser", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if os.geteuid() == 0 and runuser is None:
        pytest.skip("PostgreSQL does not run as root, and there is no runuser")
    as_user = [runuser, "-u", "postgres", "--"] if os.geteuid() == 0 and runuser else []
    # Its user has to reach every folder above, which a test's own are closed to.
    folder = Path(tempfile.mkdtemp(prefix="sweep-test-"))
    if as_user:
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def call(*command: str | Path) -> None:
        subprocess.run([*as_user, *command], cwd=folder, check=True, capture_output=True)

    data = folder / "data"
    try:
        call(found[-1] / "initdb", "-D", data, "-U", "tester", "--auth=trust")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
        call(found[-1] / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
        try:
            yield f"postgresql+psycopg2://tester@127.0.0.1:{port}/postgres"
        finally:
            call(found[-1] / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make test-fast` gives --fast."""
    parser.addoption(
        "--fast", action="store_true", help="only files that import neither TensorFlow nor MLflow"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With --fast, a file that needs TensorFlow or MLflow is not even imported."""
    if not config.getoption("--fast") or collection_path.suffix != ".py":
        return None
    module = collection_path.relative_to(ROOT).as_posix()
    files = {far for near in imports(module) for far in reached(near, inner=False)}
    used = libraries(module) | {one for file in files for one in libraries(file, inner=False)}
    # One that starts a process which imports them has the name in a text.
    started = "pipeline.network.backend" in collection_path.read_text("utf-8")
    return True if started or used & HEAVY else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that run whole pipelines first, so that no core waits for the last one."""
    items.sort(key=lambda item: item.path.parent.name != "end_to_end")


def pytest_configure() -> None:
    """Searching the imported libraries for garbage, over and over, takes a tenth of the time."""
    gc.set_threshold(50_000)


def pytest_collection_finish() -> None:
    """They are not searched at all from here on."""
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that is skipped has not been passed: in CI none may be, elsewhere only those of
    MAY_BE_SKIPPED."""
    report = yield
    if report.skipped and (os.environ.get("CI") or item.nodeid not in MAY_BE_SKIPPED):
        report.outcome, report.longrepr = "failed", f"may not be skipped: {report.longrepr}"
    return report
