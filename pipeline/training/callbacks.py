"""Keras's own callbacks around a training that Keras does not run itself."""

import hashlib
from collections.abc import Sequence

from pipeline.network import weights
from pipeline.network.backend import keras


class Callbacks:
    """Calls Keras callbacks at the beginning and the end of each epoch of one network.

    They see the network with its weights after the epoch, logs under Keras's names
    (loss, mae, val_loss, val_mae; MAE in units of y), and an optimizer through which
    they may read and set the learning rate; its moments are not in it. They may change
    weights, and stop. Batches happen inside a compiled call and are not told of.
    """

    def __init__(
        self, callbacks: Sequence[keras.callbacks.Callback], network: keras.Sequential, *,
        update: str, loss: str, epochs: int,
    ) -> None:  # fmt: skip
        self._network = network
        network.compile(optimizer=update, loss=loss, metrics=["mae"])
        network.optimizer.build(network.trainable_variables)
        network.stop_training = False
        self._given: float | None = None
        self._trained: list[bytes] = []
        self._list = keras.callbacks.CallbackList(
            list(callbacks), model=network, epochs=epochs, verbose=0
        )
        self._list.on_train_begin()

    def begin(self, epoch: int, rate: float) -> float:
        """Before epoch (from 0); returns the learning rate that holds for it: rate, until a
        callback sets another, from which on the callbacks decide."""
        held = self._network.optimizer.learning_rate
        if self._given is None or float(held) == self._given:
            held.assign(rate)
            self._given = float(held)
        self._list.on_epoch_begin(epoch)
        asked = float(held)
        return rate if asked == self._given else asked

    def end(
        self, epoch: int, logs: dict[str, float], trained: Sequence[weights.Array]
    ) -> list[weights.Array]:
        """After epoch; returns the weights to go on with."""
        weights.assign(self._network, trained)
        self._list.on_epoch_end(
            epoch, {name.replace("validation_", "val_"): value for name, value in logs.items()}
        )
        self._trained.append(_digest(trained))
        return weights.of(self._network)

    @property
    def stopped(self) -> bool:
        """Whether one of them asked to stop."""
        return bool(self._network.stop_training)

    def finish(self, trained: Sequence[weights.Array]) -> tuple[list[weights.Array], int]:
        """After the last epoch; returns the weights to keep, and which epoch (from 1) was
        trained to them: 0 if none was."""
        weights.assign(self._network, trained)
        self._list.on_train_end()
        kept = weights.of(self._network)
        epochs = [at for at, one in enumerate(self._trained, start=1) if one == _digest(kept)]
        return kept, max(epochs, default=0)


def _digest(arrays: Sequence[weights.Array]) -> bytes:
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).digest()
