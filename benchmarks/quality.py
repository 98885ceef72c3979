"""Quality: test RMSE of the pipeline with its defaults beside other models with theirs, on many
tables."""

import importlib.util
import math
import pickle
import shlex
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from statistics import fmean, geometric_mean
from typing import Any

import numpy as np
import pandas as pd
import yaml
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.datasets import load_diabetes, make_friedman1, make_friedman2, make_friedman3
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from benchmarks.race import show
from pipeline.baselines.baselines import DAY, MAX_CATEGORIES
from pipeline.compose.experiment import compose
from pipeline.compose.schema import Config
from pipeline.config.data import Kind, Reading
from pipeline.evaluation.predictor import Predictor
from pipeline.preparation.preparation import Prepared, prepare
from pipeline.runtime.errors import UserError
from pipeline.sweep import command, trials, winner
from pipeline.sweep.tables import Tables
from pipeline.tables.reading import read

ROOT = Path(__file__).parents[1]
REALMLP = Path(__file__).with_name("realmlp.py")
SUFFIXES = {".csv", ".tsv", ".txt", ".dat", ".data", ".parquet", ".xlsx"}

# The keys of the section `data` that differ from the defaults.
Section = dict[str, Any]
# From features and target of training rows, and features of test rows, to predictions.
Model = Callable[[pd.DataFrame, np.ndarray, pd.DataFrame], np.ndarray]
# RMSE and seconds of each model.
Measured = dict[str, tuple[float, float]]


def quality(
    tables: Path | None, targets: Path | None, seeds: int, overrides: str, python: Path
) -> None:
    """Prints the RMSE of each model on each table, its rank, and the seconds that it took.

    Parameters
    ----------
    tables
        A folder of tables; None takes some of scikit-learn's.
    targets
        A YAML file that maps files of that folder to keys of the section `data`, target among
        them; None is targets.yaml there. Without it, each file is a table whose last column is
        the target.
    seeds
        How many splits: data.split.seed is 0, 1, ...
    overrides
        What the pipeline is given on its command line. Semicolons separate variants of the
        pipeline, each of which is measured. One that sets sweep=OPTION is a sweep, and has two
        columns: its winner and its ensemble.
    python
        That of the peers' environment.
    """
    given = [shlex.split(variant) for variant in overrides.split(";")]
    variants = {" ".join(variant) or "this pipeline": variant for variant in given}
    others = peers(python)
    reference = "CatBoost" if "CatBoost" in others else "HistGradientBoosting"
    names = [name for one, keys in variants.items() for name in columns(one, keys)] + [*others]
    results: dict[str, Measured] = {}

    def lines(sections: dict[str, Section]) -> Iterator[list[object]]:
        for table, section in sections.items():
            try:
                results[table] = measure(section, variants, others, seeds)
            except UserError as error:
                leave_out(table, error)
                continue
            ranks = ranked(results[table])
            errors = (f"{results[table][name][0]:.4g} ({ranks[name]})" for name in names)
            yield [table, *errors]
        if results:
            ratios = {
                name: [one[name][0] / one[reference][0] for one in results.values()]
                for name in names
            }
            ranks = {name: [ranked(one)[name] for one in results.values()] for name in names}
            yield [f"times {reference}'s", *map(geometric_mean, ratios.values())]
            yield ["mean rank", *map(fmean, ranks.values())]

    with tempfile.TemporaryDirectory() as folder:
        sections = sections_of(tables, targets) if tables else scikit_learns(Path(folder))
        show(
            f"Quality: RMSE of test rows (rank), splits: {seeds}",
            ["", *names],
            lines(sections),
        )
    if not results:
        sys.exit("error: no table was measured")
    show(
        "Seconds from the prepared table to the predictions, a split",
        ["", *names],
        [[table, *(one[name][1] for name in names)] for table, one in results.items()],
    )


def sections_of(folder: Path, targets: Path | None) -> dict[str, Section]:
    """The section `data` of each table in a folder; see `quality`."""
    if not folder.is_dir():
        sys.exit(f"error: TABLES: {folder} is not a folder")
    if targets and not targets.is_file():
        sys.exit(f"error: TARGETS: {targets} is not a file")
    targets = targets or folder / "targets.yaml"
    sections: dict[str, Section] = {}
    if targets.exists():
        sections = yaml.safe_load(targets.read_text("utf-8"))
    else:
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() in SUFFIXES:
                try:
                    sections[file.name] = {"target": last_column(file)}
                except UserError as error:
                    leave_out(file.name, error)
    folder = folder.resolve()  # a sweep runs in a folder of its own
    return {name: {"path": str(folder / name), **section} for name, section in sections.items()}


def last_column(file: Path) -> str:
    try:
        raw = read(str(file), Reading())
    except UserError:
        # Without a header, columns have such names.
        raw = read(str(file), Reading(), needed=["column_1"])
    return str(raw.table.columns[-1])


def leave_out(table: str, error: UserError) -> None:
    print(f"{table} is left out: {error}", file=sys.stderr, flush=True)


def scikit_learns(folder: Path) -> dict[str, Section]:
    """Its table of diabetes, and Friedman's functions with the noise that he adds."""
    tables = {"diabetes": load_diabetes(as_frame=True, scaled=False).frame}
    for make, noise in ((make_friedman1, 1), (make_friedman2, 125), (make_friedman3, 0.1)):
        x, target = make(1000, noise=noise, random_state=0)
        tables[make.__name__[5:]] = pd.DataFrame(x).add_prefix("x").assign(target=target)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return {name: {"path": str(folder / f"{name}.csv"), "target": "target"} for name in tables}


def measure(
    section: Section, variants: dict[str, list[str]], others: dict[str, Model], seeds: int
) -> Measured:
    """RMSE and seconds of each model on a table, both means over the splits."""
    splits: list[Measured] = []
    for seed in range(seeds):
        split = f"data.split.seed={seed}"
        default = prepare(composed(section, [split]).data)
        test = default.parts["test"]
        true = test[default.contract.target].to_numpy(float)
        if not len(true):
            raise UserError("there are no test rows")
        measured: Measured = {}
        for name, overrides in variants.items():
            config = composed(section, [split, *overrides])
            data = prepare(config.data)
            if not data.parts["test"][[data.contract.target]].equals(test[[data.contract.target]]):
                raise UserError(f"other test rows with {name}")
            if is_sweep(overrides):
                predict = partial(swept, section, [split, *overrides], test)
            else:
                predict = partial(pipeline, config, data)
            measured |= scored(predict, columns(name, overrides), true)
        x, y, x_test = rows_of_peers(default)
        for name, model in others.items():
            measured |= scored(partial(one_of, model, x, y, x_test), [name], true)
        splits.append(measured)
    return {
        name: (fmean(one[name][0] for one in splits), fmean(one[name][1] for one in splits))
        for name in splits[0]
    }


def is_sweep(overrides: list[str]) -> bool:
    return any(one.startswith("sweep=") for one in overrides)


def columns(name: str, overrides: list[str]) -> list[str]:
    """The names of what a variant predicts."""
    return [f"{name}: winner", f"{name}: ensemble"] if is_sweep(overrides) else [name]


def composed(section: Section, overrides: list[str]) -> Config:
    """The experiment of someone whose params.yaml has nothing but this section."""
    with project(section) as root:
        return compose(root, overrides).config


@contextmanager
def project(section: Section) -> Iterator[Path]:
    """A folder with the code, conf/ and a params.yaml that has nothing but this section."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("conf", "pipeline", "dvc.yaml"):
            (root / name).symlink_to(ROOT / name)
        (root / "params.yaml").write_text(yaml.safe_dump({"data": section}), "utf-8")
        yield root


def scored(predict: Callable[[], list[np.ndarray]], names: list[str], true: np.ndarray) -> Measured:
    """RMSE and seconds of each of the predictions, which are made together."""
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the peers, such as about too few iterations
        answers = predict()
    seconds = time.perf_counter() - begun
    measured: Measured = {}
    for name, predicted in zip(names, answers, strict=True):
        if predicted.shape != true.shape:
            raise RuntimeError(f"{len(true)} rows have predictions of shape {predicted.shape}")
        rmse = float(np.sqrt(np.mean(np.square(predicted - true))))
        # NaN would have no rank.
        measured[name] = rmse if math.isfinite(rmse) else math.inf, seconds
    return measured


def pipeline(config: Config, data: Prepared) -> list[np.ndarray]:
    """The predictions of the model that the train stage would save; infinite if it diverges."""
    tables = Tables(data, config)
    (trained,) = trials.train_all([config], tables, config.sweep.score)
    if not trained.weights:
        return [np.full(len(data.parts["test"]), math.inf)]
    return [winner.saved(trained, tables.of(config)).predicted["test"]]


def swept(section: Section, overrides: list[str], test: pd.DataFrame) -> list[np.ndarray]:
    """The predictions of the winner and of the ensemble of a sweep; twice those of the winner where
    no ensemble is better than it."""
    with project(section) as root, chdir(root), redirect_stdout(sys.stderr):
        command.sweep_command(["tracking=off", "sweep.name=quality", *overrides])
        folders = [Path("data/sweeps/quality") / name for name in ("model", "ensemble")]
        if not folders[0].exists():
            return [np.full(len(test), math.inf)] * 2
        models = [Predictor(folder if folder.exists() else folders[0]) for folder in folders]
        return [model.predict_conformed(test)["predicted"].to_numpy() for model in models]


def ranked(results: Measured) -> dict[str, int]:
    """The rank of each model, from 1 for the lowest RMSE."""
    errors = sorted(rmse for rmse, _ in results.values())
    return {name: errors.index(rmse) + 1 for name, (rmse, _) in results.items()}


def one_of(model: Model, x: pd.DataFrame, y: np.ndarray, test: pd.DataFrame) -> list[np.ndarray]:
    return [model(x, y, test)]


def rows_of_peers(data: Prepared) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """Features and target of all rows that are not for test, and the features of those that are:
    float64 with NaN, and categories."""
    test = data.parts["test"]
    train = pd.concat([data.parts["train"], data.parts["validation"]]).sort_index()
    x, x_test = {}, {}
    for number, (name, column) in enumerate(data.contract.schema.columns.items()):
        kept = train[name].value_counts().index[:MAX_CATEGORIES]
        for part, side in ((train, x), (test, x_test)):
            values = part[name]
            if column.kind is Kind.category:
                values = values.where(values.isin(kept)).astype(pd.CategoricalDtype(kept))
            elif column.kind is Kind.date:
                values = (values - pd.Timestamp(0)) / DAY
            else:
                values = values.astype(float)
            side[f"x{number}"] = values
    return pd.DataFrame(x), train[data.contract.target].to_numpy(float), pd.DataFrame(x_test)


def peers(python: Path) -> dict[str, Model]:
    """Models with their defaults, on the columns as each of them takes them. RealMLP is run by the
    Python of an environment that has pytabkit, if there is one."""
    numbers, categories = (
        make_column_selector(dtype_include=kind) for kind in ("number", "category")
    )
    scaled = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories),
    )
    codes = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), categories),
        remainder="passthrough",
    )
    # Its defaults are for targets of about that scale.
    mlp = TransformedTargetRegressor(MLPRegressor(random_state=0), transformer=StandardScaler())
    forest = RandomForestRegressor(random_state=0)
    models = {
        "least squares": make_pipeline(scaled, LinearRegression()),
        "ridge": make_pipeline(scaled, Ridge()),
        "scikit-learn's MLP": make_pipeline(scaled, mlp),
        "random forest": make_pipeline(codes, forest),
        "HistGradientBoosting": HistGradientBoostingRegressor(random_state=0),
    }
    optional = {"LightGBM": ("lightgbm", lightgbm), "CatBoost": ("catboost", catboost)}
    installed = {
        name: model
        for name, (module, model) in optional.items()
        if importlib.util.find_spec(module)
    }

    if (
        python.exists()
        and subprocess.run([python, REALMLP, "--installed"], check=False).returncode == 0
    ):
        installed["RealMLP-TD"] = partial(realmlp, python)

    def fitted(model: Any, x: pd.DataFrame, y: np.ndarray, test: pd.DataFrame) -> np.ndarray:
        return model.fit(x, y).predict(test)

    return {name: partial(fitted, model) for name, model in models.items()} | installed


def realmlp(python: Path, x: pd.DataFrame, y: np.ndarray, test: pd.DataFrame) -> np.ndarray:
    """In a process of its own: one that has imported TensorFlow cannot import PyTorch."""
    done = subprocess.run(
        [python, REALMLP], input=pickle.dumps((x, y, test)), stdout=subprocess.PIPE, check=True
    )
    return np.asarray(pickle.loads(done.stdout))  # noqa: S301 - of a process that this one has started


def lightgbm(x: pd.DataFrame, y: np.ndarray, test: pd.DataFrame) -> np.ndarray:
    from lightgbm import LGBMRegressor

    return LGBMRegressor(random_state=0, verbose=-1).fit(x, y).predict(test)


def catboost(x: pd.DataFrame, y: np.ndarray, test: pd.DataFrame) -> np.ndarray:
    from catboost import CatBoostRegressor

    categories = list(x.select_dtypes("category"))
    x, test = (
        side.assign(**{name: side[name].astype(object).fillna("") for name in categories})
        for side in (x, test)
    )
    model = CatBoostRegressor(random_seed=0, verbose=False, allow_writing_files=False)
    return model.fit(x, y, cat_features=categories).predict(test)
