"""Keras callbacks for a training that Keras does not run."""

import hashlib
from collections.abc import Sequence

from pipeline.network import weights
from pipeline.network.backend import keras


class Callbacks:
    """Calls Keras callbacks at the beginning and the end of each epoch of one network.

    They see the network with its weights after the epoch, logs under Keras's names
    (loss, mae, val_loss, val_mae; MAE in the target's units), and an optimizer through which
    they may read and set the learning rate; it does not have the moments. They may change
    weights, and stop training. Methods for batches are not called, because batches are
    inside a compiled function.
    """

    def __init__(
        self, callbacks: Sequence[keras.callbacks.Callback], network: keras.Sequential, *,
        update: str, loss: str, epochs: int,
    ) -> None:  # fmt: skip
        self._network = network
        network.compile(optimizer=update, loss=loss, metrics=["mae"])
        network.optimizer.build(network.trainable_variables)
        network.stop_training = False
        self._scheduled: float | None = None
        self._digests: list[bytes] = []
        self._list = keras.callbacks.CallbackList(
            list(callbacks), model=network, epochs=epochs, verbose=0
        )
        self._list.on_train_begin()

    def begin(self, epoch: int, rate: float) -> float:
        """Before epoch (from 0); returns its learning rate: rate, unless a callback has set
        another one, from which on the callbacks decide."""
        current = self._network.optimizer.learning_rate
        if self._scheduled is None or float(current) == self._scheduled:
            current.assign(rate)
            self._scheduled = float(current)
        self._list.on_epoch_begin(epoch)
        chosen = float(current)
        return rate if chosen == self._scheduled else chosen

    def end(
        self, epoch: int, logs: dict[str, float], trained: Sequence[weights.Array]
    ) -> list[weights.Array]:
        """After epoch; returns the weights for the next one."""
        weights.assign(self._network, trained)
        self._list.on_epoch_end(
            epoch, {name.replace("validation_", "val_"): value for name, value in logs.items()}
        )
        self._digests.append(_digest(trained))
        return weights.of(self._network)

    @property
    def stopped(self) -> bool:
        """Whether a callback has set stop_training."""
        return bool(self._network.stop_training)

    def finish(self, trained: Sequence[weights.Array]) -> tuple[list[weights.Array], int]:
        """After the last epoch; returns the weights to keep, and the epoch (from 1) that ended
        with them, or 0."""
        weights.assign(self._network, trained)
        self._list.on_train_end()
        kept = weights.of(self._network)
        digest = _digest(kept)
        epochs = [epoch for epoch, one in enumerate(self._digests, start=1) if one == digest]
        return kept, max(epochs, default=0)


def _digest(arrays: Sequence[weights.Array]) -> bytes:
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).digest()
