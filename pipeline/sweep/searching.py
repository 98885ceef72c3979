"""A sweep at work: trials are asked for, trained, written down and told, and summed up."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.compose.schema import Config, Sweep, settings
from pipeline.dataset.curves import CURVES
from pipeline.network.backend import tf
from pipeline.runtime.errors import UserError, warn
from pipeline.runtime.files import whole_directory, write_text
from pipeline.sweep import trials, winning
from pipeline.sweep.space import Space, Values
from pipeline.sweep.study import TROUBLE, Study, Told, Trial
from pipeline.sweep.trials import Outcome
from pipeline.sweep.winning import Result
from pipeline.tables.preparation import Prepared
from pipeline.tracking.client import Recorder
from pipeline.tracking.trial_files import SWEEPS, Curves, Record, batches, read_batch, write_batch
from pipeline.training.progress import Progress

KNOWN = "known: not trained again"
# How many trials were summed up last.
SUMMED_UP = "summed_up.json"


@dataclass
class Search:
    """A sweep at work."""

    space: Space
    config: Config
    prepared: Prepared
    study: Study
    recorder: Recorder
    made_of: dict[str, str]
    begun: float

    def __post_init__(self) -> None:
        self.table = trials.table(self.prepared, self.config.training.streaming)
        self.folder = SWEEPS / self.study.name
        self.sweep: Sweep = self.config.sweep
        self.best: float | None = None
        self.fingerprints: dict[tuple[object, ...], str] = {}
        self.curves = Curves(SWEEPS)

    def run(self) -> None:
        """All of it: what was left, what is asked for, what comes out. Raises UserError
        where the disk or the database gives out; what is done then stays done."""
        try:
            self.search()
            if self.study.at_work():
                self.say_best()
                print("others are still at work; whoever is last sums up")
            elif self.is_summed_up():
                self.say_best()
                print(f"summed up before: {self.folder}/results/")
            else:
                self.sum_up()
        except KeyboardInterrupt:
            self.say_best()
            print("interrupted; the same command goes on from here")
            raise
        except TROUBLE as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"the sweep stopped: {reason}; what is done is kept, and the same command goes"
                " on from here"
            ) from error

    def search(self) -> None:
        """Trains what is asked for, batch by batch."""
        self.fill_up()
        over = self.study.over()
        if over:
            print(f"sweep {self.study.name}: {over} trials are there already", flush=True)
        if self.table.streaming:
            print("the rows are encoded block by block as training asks for them", flush=True)
        known = self.study.known()
        with Progress(self.sweep.trials, "trial") as progress:
            progress.advance(min(over, self.sweep.trials))
            while not self.out_of_time():
                asked = self.study.ask(
                    self.sweep.parallel_trials, self.sweep.trials, self.fingerprint
                )
                if not asked:
                    break
                self.train(asked, known, progress)

    def is_summed_up(self) -> bool:
        """Whether these very trials were, before."""
        path = self.folder / SUMMED_UP
        return path.is_file() and json.loads(path.read_text("utf-8")) == self.study.over()

    def out_of_time(self) -> bool:
        """Whether sweep.minutes are over."""
        minutes = self.sweep.minutes
        return minutes is not None and time.monotonic() - self.begun > minutes * 60

    def fingerprint(self, values: Values) -> str:
        """Of a trial; empty for values that do not go together."""
        point = tuple(values[key] for key in self.space.axes)
        if point not in self.fingerprints:
            try:
                made = trials.fingerprint(self.space.config(values), self.made_of)
            except UserError:
                made = ""
            self.fingerprints[point] = made
        return self.fingerprints[point]

    def fill_up(self) -> None:
        """Tells the study and MLflow what the files know and they may not."""
        told = self.study.told()
        for path in batches(self.folder):
            records = read_batch(path)
            self.study.tell({one.number: as_told(one) for one in records if one.number not in told})
            self.recorder.tell("trials", path=str(path.resolve()))

    def train(self, asked: Sequence[Trial], known: dict[str, Told], progress: Progress) -> None:
        """A batch: trained by structures, written down, told."""
        began = time.time()
        configs: dict[int, Config] = {}
        outcomes: dict[int, Outcome | Told] = {}
        for trial in asked:
            try:
                config = self.space.config(trial.values)
            except UserError as error:
                outcomes[trial.number] = Told("failed", None, 0, str(error))
                continue
            earlier = known.get(self.fingerprint(trial.values))
            if earlier is not None:
                outcomes[trial.number] = replace(earlier, reason=KNOWN)
            else:
                configs[trial.number] = config
        numbers = list(configs)
        for places in trials.grouped(list(configs.values()), streaming=self.table.streaming):
            group = [numbers[place] for place in places]
            try:
                results: Sequence[Outcome | Told] = trials.train(
                    [configs[number] for number in group],
                    self.table,
                    score=self.sweep.score,
                    pruning=self.sweep.pruning,
                    out_of_time=self.out_of_time,
                    on_epochs=lambda _epochs, loss: progress.advance(0, **self.so_far(), loss=loss),
                )
            except (tf.errors.OpError, MemoryError) as error:
                reason = " ".join(str(error).split())[:300] or type(error).__name__
                results = [Told("failed", None, 0, reason)] * len(group)
            outcomes |= dict(zip(group, results, strict=True))
        records = [
            self.record(trial, outcomes[trial.number], began, time.time()) for trial in asked
        ]
        path = write_batch(self.folder, records)
        self.recorder.tell("trials", path=str(path.resolve()))
        self.study.tell({record.number: as_told(record) for record in records})
        known |= {one.fingerprint: as_told(one) for one in records if one.state == "complete"}
        scores = [record.score for record in records if record.score is not None]
        self.best = min([*scores, *([] if self.best is None else [self.best])], default=None)
        progress.advance(len(records), **self.so_far())

    def so_far(self) -> dict[str, float]:
        """What to say beside the progress."""
        return {} if self.best is None else {"best": self.best}

    def record(self, trial: Trial, outcome: Outcome | Told, began: float, ended: float) -> Record:
        try:
            configuration = settings(self.space.config(trial.values))
        except UserError:
            configuration = {}
        made_of = self.fingerprint(trial.values)
        if not isinstance(outcome, Told):
            curves = outcome.curves.astype(np.float32)
        elif outcome.reason == KNOWN:
            curves = self.curves.of(made_of)
        else:
            curves = np.zeros((0, len(CURVES)), np.float32)
        return Record(
            trial.number, outcome.state, outcome.score, outcome.epochs, outcome.reason, made_of,
            dict(trial.values), configuration, began, ended, curves,
        )  # fmt: skip

    def say_best(self) -> None:
        """The best trial so far, in a line."""
        scored = self.ranked()
        if not scored:
            print(f"of {self.study.over()} trials that are over, none has a score yet")
        else:
            number, values, told = scored[0]
            print(
                f"best of {self.study.over()} trials: trial {number},"
                f" {self.table.judged} {self.sweep.score.value} {told.score:.6g}:"
                f" {' '.join(self.space.overrides(values))}"
            )

    def ranked(self) -> list[tuple[int, Values, Told]]:
        """The complete trials, the best first."""
        scored = [
            (number, values, told)
            for number, (values, told) in self.study.told().items()
            if told.state == "complete"
        ]
        return sorted(scored, key=lambda item: (item[2].score, item[0]))

    def sum_up(self) -> None:
        """The winner, checked; the ensemble, if it is better; tables, figures, models."""
        ranked = self.ranked()
        self.say_best()
        results = self.folder / "results"
        numbers: dict[str, float] = {"trials": float(self.study.over())}
        models: dict[str, str] = {}
        with whole_directory(results) as draft:
            self.study.table().to_csv(draft / "trials.csv", index=False)
            if ranked:
                numbers |= self.crown(ranked, draft, models)
                self.study.draw(draft)
            else:
                warn(f"no trial came to a score; {results}/trials.csv says why for each")
        best = {"sweep.best": " ".join(self.space.overrides(ranked[0][1]))} if ranked else {}
        self.recorder.tell(
            "results", tags=best, metrics=numbers, folder=str(results.resolve()), models=models,
            example=self.prepared.parts["train"].head(3).to_dict("list"),
        )  # fmt: skip
        write_text(self.folder / SUMMED_UP, f"{self.study.over()}\n")
        print(f"all trials and figures: {results}/")

    def crown(
        self, ranked: Sequence[tuple[int, Values, Told]], draft: Path, models: dict[str, str]
    ) -> dict[str, float]:
        """Trains the winner once more, alone and with other seeds, and the ensemble; writes
        their models, and winner.csv into draft. Returns the numbers for the run."""
        number, values, told = ranked[0]
        config = self.space.config(values)
        (alone,) = winning.train_all([config], self.table, self.sweep.score)
        if alone.score is None:
            raise RuntimeError(f"trial {number} cannot be repeated: {alone.reason}")
        predicted = winning.predictions(alone, config, self.table)
        winner = winning.Result("winner", winning.errors(predicted, self.table, self.sweep.score))
        seeds = winning.with_other_seeds(config, self.table, self.sweep)
        candidates = [self.space.config(one) for _, one, _ in ranked[: self.sweep.ensemble]]
        model, joined = winning.best_ensemble(candidates, self.table, self.sweep.score)
        start = winning.start(self.config, self.table, self.sweep.score)
        line = winning.least_squares(self.table, self.sweep.score)
        results = [one for one in (winner, joined, start, line) if one is not None]
        winning.table([*results, *seeds]).to_csv(draft / "winner.csv", index=False)
        winning.write_model(self.folder / "model", config, alone, self.table, self.prepared)
        models["model"] = str((self.folder / "model").resolve())
        if model is not None:
            winning.write_ensemble(self.folder / "ensemble", model, self.table, self.prepared)
            models["ensemble"] = str((self.folder / "ensemble").resolve())
        overrides = [*self.space.fixed, *self.space.overrides(values)]
        promoted = [one for one in overrides if not one.startswith(("sweep", "tracking"))]
        fixed = [one for one in self.space.fixed if one in promoted]
        written = {"trial": number, "overrides": promoted, "fixed": fixed}
        write_text(self.folder / "winner.json", json.dumps(written, indent=2) + "\n")
        numbers = winning.summary(results, seeds, self.table.judged)
        self.say({one.name: one for one in results}, len(seeds), told, numbers)
        return numbers

    def say(
        self, results: dict[str, Result], seeds: int, told: Told, numbers: dict[str, float]
    ) -> None:
        """How good the winner is, how much of that is luck, and what it is better than."""
        reached = results["winner"].errors
        print(
            f"trained again, alone: {self.sweep.score.value} of {by_part(reached)}"
            f" (as a trial {told.score:.6g})"
        )
        if seeds:
            mean = {part: numbers[f"seeds_{part}_mean"] for part in reached}
            print(
                f"its values with {seeds} other seeds, on average: {by_part(mean)}; so"
                f" {numbers['optimism']:.6g} of {self.table.judged} is luck (optimism)"
            )
        if "ensemble" in results:
            joined = results["ensemble"]
            print(f"{joined.what} networks: {by_part(joined.errors)}: {self.folder}/ensemble")
        elif self.sweep.ensemble:
            print("no ensemble of the best trials beats the best of them on the validation part")
        start = by_part(results["start"].errors) if "start" in results else "diverges"
        print(f"the experiment it began from: {start}")
        print(f"the least-squares line: {by_part(results['least_squares'].errors)}")
        print(f"its model: {self.folder}/model; into params.yaml: python -m pipeline.sweep promote")


def by_part(errors: dict[str, float]) -> str:
    """In words."""
    return ", ".join(f"{part} {value:.6g}" for part, value in errors.items())


def as_told(record: Record) -> Told:
    """What the study is told of a record."""
    return Told(record.state, record.score, record.epochs, record.reason)
