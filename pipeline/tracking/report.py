"""The report of the current result, with what the store has of it."""

from pipeline.compose.schema import Config
from pipeline.reporting.looks import Looks
from pipeline.reporting.page import Origin, render
from pipeline.reporting.result import read_result
from pipeline.reporting.words import verdict
from pipeline.runtime.errors import UserError, warn
from pipeline.runtime.files import write_text
from pipeline.runtime.paths import REPORT
from pipeline.runtime.redaction import redact
from pipeline.tracking import provenance
from pipeline.tracking.fingerprint import of_stage
from pipeline.tracking.identity import of_training
from pipeline.tracking.location import DATABASE, default_database, project_root, source
from pipeline.tracking.provenance import Changes
from pipeline.tracking.untracked import explained

OFF = "tracking is off (tracking.enabled)"
NOT_REACHED = "the runs in MLflow were not reached; `make report` counts them"


def write_report(
    config: Config,
    fingerprint: str,
    looks: Looks | str,
    *,
    run: str | None = None,
    changes: Changes | None = None,
) -> str:
    """Writes the report of the result under data/, and returns its verdict.

    Parameters
    ----------
    config, fingerprint
        Those of its training.
    looks
        The results that were evaluated on its test rows, or why they are not known.
    run
        The name of its run, if it has one.
    changes
        What differs from the commit, if that is known already.

    Raises
    ------
    UserError
        If a file of the result is missing or damaged.
    """
    changes = changes or provenance.git_changes()
    result = read_result(config)
    origin = Origin(
        fingerprint,
        run=run,
        commit=changes.commit,
        unknown=changes.unknown,
        changed=changes.dirty == "true",
        packages=provenance.packages(),
    )
    write_text(REPORT, render(result, looks, origin))
    return verdict(result)


def write_current(config: Config) -> None:
    """Writes the report anew, with what the store has now. Warns of a store out of reach."""
    fingerprint = of_stage("train").hash
    looks, run = _in_store(config, fingerprint)
    write_report(config, fingerprint, looks, run=run)


def _in_store(config: Config, fingerprint: str) -> tuple[Looks | str, str | None]:
    """The looks, or why they are not known, and the name of the run if there is one."""
    uri = config.tracking.uri
    if not config.tracking.enabled:
        return OFF, None
    database = default_database(uri, project_root())
    if database is not None and not database.exists():
        return f"there is no {DATABASE} yet; `make track` records this result", None
    # MLflow takes seconds to import.
    from pipeline.tracking import looks
    from pipeline.tracking.store import STORE_ERRORS, Store

    try:
        store = Store(config.tracking.experiment, uri)
        run = store.find(of_training(config, fingerprint))
        seen = looks.current(store, looks.test_rows(config), fingerprint)
    except (UserError, *STORE_ERRORS) as error:
        reason = redact(f"{explained(error, source(uri))}; `make report` counts them again")
        warn(f"how many results were evaluated on the test rows is not known: {reason}")
        return reason, None
    return seen, None if run is None else str(run.info.run_name)
