"""The same training by other libraries; runs in their environment, by benchmarks/race.py.

python benchmarks/peers.py NAME: prints "ready", then for each line N that it reads
trains N epochs and prints the seconds that one took.
"""

import sys
import time
import warnings
from collections.abc import Callable

import numpy as np

ROWS, FEATURES, UNITS, BATCH = 16_512, 8, 64, 32
RATE = 1e-3


def table() -> tuple[np.ndarray, np.ndarray]:
    """Rows like those of a middling table: a smooth target of a few columns."""
    x = np.random.default_rng(0).normal(size=(ROWS, FEATURES)).astype(np.float32)
    return x, np.sin(x[:, :1]) + x[:, 1:2] * x[:, 2:3]


def jax_scan() -> Callable[[int], None]:
    """An epoch as one lax.scan over its batches, with Adam by hand."""
    import jax
    import jax.numpy as jnp

    x, y = (jnp.array(side) for side in table())
    random = np.random.default_rng(1)
    shapes = [(FEATURES, UNITS), (UNITS, UNITS), (UNITS, 1)]
    weights = [
        (jnp.array(random.normal(size=shape) / shape[0] ** 0.5, jnp.float32), jnp.zeros(shape[1]))
        for shape in shapes
    ]

    def loss(weights, x, y):
        for kernel, bias in weights[:-1]:
            x = jax.nn.relu(x @ kernel + bias)
        return jnp.mean((x @ weights[-1][0] + weights[-1][1] - y) ** 2)

    def step(state, rows):
        weights, mean, square, time = state
        value, gradient = jax.value_and_grad(loss)(weights, x[rows], y[rows])
        time += 1
        mean = jax.tree.map(lambda m, g: m + (g - m) * 0.1, mean, gradient)
        square = jax.tree.map(lambda s, g: s + (g * g - s) * 0.001, square, gradient)
        rate = RATE * jnp.sqrt(1 - 0.999**time) / (1 - 0.9**time)
        weights = jax.tree.map(
            lambda w, m, s: w - m * rate / (jnp.sqrt(s) + 1e-7), weights, mean, square
        )
        return (weights, mean, square, time), value

    epoch = jax.jit(lambda state, order: jax.lax.scan(step, state, order))
    none = jax.tree.map(jnp.zeros_like, weights)
    state = (weights, none, none, jnp.float32(0))

    def train(epochs: int) -> None:
        nonlocal state
        for _ in range(epochs):
            order = random.permutation(ROWS).astype(np.int32).reshape(-1, BATCH)
            state, losses = epoch(state, order)
        losses.block_until_ready()

    return train


def pytorch() -> Callable[[int], None]:
    """The usual loop."""
    import torch

    x, y = (torch.tensor(side) for side in table())
    network = torch.nn.Sequential(
        torch.nn.Linear(FEATURES, UNITS), torch.nn.ReLU(),
        torch.nn.Linear(UNITS, UNITS), torch.nn.ReLU(),
        torch.nn.Linear(UNITS, 1),
    )  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)

    def train(epochs: int) -> None:
        for _ in range(epochs):
            for rows in torch.randperm(ROWS).split(BATCH):
                optimizer.zero_grad()
                loss = torch.nn.functional.mse_loss(network(x[rows]), y[rows])
                loss.backward()
                optimizer.step()

    return train


def sklearn() -> Callable[[int], None]:
    """MLPRegressor, one partial_fit an epoch."""
    from sklearn.neural_network import MLPRegressor

    warnings.simplefilter("ignore")
    x, y = table()
    network = MLPRegressor(
        hidden_layer_sizes=(UNITS, UNITS), batch_size=BATCH, alpha=0.0, learning_rate_init=RATE
    )

    def train(epochs: int) -> None:
        for _ in range(epochs):
            network.partial_fit(x, y[:, 0])

    return train


PEERS = {"jax": jax_scan, "pytorch": pytorch, "scikit-learn": sklearn}


def main() -> None:
    train = PEERS[sys.argv[1]]()
    train(1)
    print("ready", flush=True)
    for line in sys.stdin:
        begun = time.perf_counter()
        train(int(line))
        print((time.perf_counter() - begun) / int(line), flush=True)


if __name__ == "__main__":
    main()
