"""The networks that the model is made of, from a training."""

from collections.abc import Callable, Sequence

import pandas as pd

from pipeline.config.training import Final, TrainingConfig
from pipeline.dataset.encoding import Encoding
from pipeline.dataset.folds import Folds
from pipeline.network.encoder import Encoder
from pipeline.network.model_folder import TrainedNetwork
from pipeline.training.fitting import Fitted, summary
from pipeline.training.rows import of_parts
from pipeline.training.train import check_finite, of_repeat, refit


def networks(
    config: TrainingConfig,
    fitted: Sequence[Fitted],
    folds: Folds,
    encoding: Encoding,
    read_table: Callable[[], pd.DataFrame],
    *,
    announce: Callable[[str], None] = lambda _line: None,
) -> tuple[TrainedNetwork | None, list[TrainedNetwork]]:
    """What model_folder.write takes: the network that is the model, or None if that is the mean
    of the folds; and the networks of the folds, if there are any.

    Parameters
    ----------
    config
        What was trained. training.final says whether the model is the mean of the folds, or a
        network that is trained here on all of their rows.
    fitted
        What `train` returns for it.
    folds, encoding
        Those of the training part.
    read_table
        Returns the conformed training part; called only for a network on all of its rows.
    announce
        Receives lines that say what was trained, and what the model is if that may surprise.

    Raises
    ------
    UserError
        If a training diverged.
    """
    check_finite(fitted, config)
    announce(summary(fitted))
    if not folds.count:
        if config.training.final is not Final.auto:
            announce("training.final has an effect only with folds; see data.split.folds")
        return _network(config, encoding, fitted[0]), []
    parts = zip(folds, folds.encodings, fitted, strict=True)
    of_folds = [_network(of_repeat(config, fold.repeat), own, one) for fold, own, one in parts]
    if not config.training.final.refits(expanding=folds.expanding):
        return None, of_folds
    rows = Encoder(encoding).part(read_table())
    whole = refit(config, fitted, of_parts(rows, None, encoding))
    check_finite([whole], config)
    announce(f"the model is a network trained on all rows for {len(whole.history)} epochs")
    return _network(config, encoding, whole), of_folds


def _network(config: TrainingConfig, encoding: Encoding, fitted: Fitted) -> TrainedNetwork:
    return TrainedNetwork(
        Encoder(encoding), config.model.layers, config.training.seed, fitted.weights, fitted.history
    )
