"""Training steps per second of a RealNVP in the plane, 8 couplings of 2 x 64, batch 256, Adam: ours against others.

    python -m benchmarks.train_flow            needs the extra `bench`

The others are PyTorch eager and flowjax, of the same sizes; flowjax has a permutation after each coupling.
"""

import argparse
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from benchmarks import alternate, compiled, record
from jaxgen import models, preprocess, recipes

BATCH, STEPS, STEPS_PER_CALL = 256, 200, 50
LAYERS, HIDDEN = 8, 64
POINTS = np.random.default_rng(0).normal(size=(100_000, 2)).astype(np.float32)


def ours() -> Callable[[], None]:
    """What `python -m train` runs: rows from the host, all else in compiled calls."""
    layers = [models.AffineCoupling(flip=bool(index % 2), hidden=(HIDDEN, HIDDEN)) for index in range(LAYERS)]
    recipe = recipes.flow(models.Flow((2,), layers), optax.inject_hyperparams(optax.adam)(1e-3))
    return compiled.steps_of(
        recipe, preprocess.scale, POINTS, batch_size=BATCH, num=STEPS, steps_per_call=STEPS_PER_CALL
    )


class TorchCoupling(torch.nn.Module):
    """A coupling that moves one coordinate given the other."""

    def __init__(self, kept: int) -> None:
        super().__init__()
        self.kept = kept
        self.network = torch.nn.Sequential(
            torch.nn.Linear(1, HIDDEN),
            torch.nn.ReLU(),
            torch.nn.Linear(HIDDEN, HIDDEN),
            torch.nn.ReLU(),
            torch.nn.Linear(HIDDEN, 2),
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """z and the log-determinant."""
        kept, moved = x[:, self.kept], x[:, 1 - self.kept]
        shift, log_scale = self.network(kept[:, None]).unbind(dim=1)
        log_scale = 5 * torch.tanh(log_scale / 5)
        moved = (moved - shift) * torch.exp(-log_scale)
        z = torch.stack([kept, moved] if self.kept == 0 else [moved, kept], dim=1)
        return z, -log_scale


def pytorch() -> Callable[[], None]:
    """A plain eager loop over shuffled batches."""
    device = "cuda" if torch.cuda.is_available() and jax.default_backend() == "gpu" else "cpu"
    layers = torch.nn.ModuleList([TorchCoupling(index % 2) for index in range(LAYERS)]).to(device)
    optimizer = torch.optim.Adam(layers.parameters(), lr=1e-3)
    data = torch.from_numpy(POINTS).to(device)

    def run() -> None:
        order = torch.randperm(len(data), device=device)
        for first in range(0, STEPS * BATCH, BATCH):
            z, log_det = data[order[first : first + BATCH]], 0.0
            for layer in layers:
                z, change = layer(z)
                log_det = log_det + change
            loss = torch.mean(0.5 * torch.sum(z**2 + np.log(2 * np.pi), dim=1) - log_det)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        loss.item()

    return run


def flowjax() -> Callable[[], None]:
    """A compiled step of flowjax's coupling flow with affine transformers, a call each as its own training loop has."""
    import equinox
    from flowjax.distributions import Normal
    from flowjax.flows import coupling_flow

    flow = coupling_flow(
        jax.random.key(0), base_dist=Normal(jnp.zeros(2)), flow_layers=LAYERS, nn_width=HIDDEN, nn_depth=2
    )
    params, static = equinox.partition(flow, equinox.is_inexact_array)
    optimizer = optax.adam(1e-3)
    state = params, optimizer.init(params)

    @equinox.filter_jit
    def step(params: object, opt_state: object, x: jax.Array) -> tuple:
        loss = lambda params: -jnp.mean(equinox.combine(params, static).log_prob(x))  # noqa: E731
        value, gradients = equinox.filter_value_and_grad(loss)(params)
        updates, opt_state = optimizer.update(gradients, opt_state, params)
        return equinox.apply_updates(params, updates), opt_state, value

    def run() -> None:
        nonlocal state
        order = np.random.default_rng(0).permutation(len(POINTS))
        for first in range(0, STEPS * BATCH, BATCH):
            *state, value = step(*state, POINTS[order[first : first + BATCH]])
        jax.block_until_ready(value)

    return run


def main() -> None:
    """Print the steps of each and the ratios."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(f"jax {jax.__version__} on {jax.devices()[0].device_kind}, torch {torch.__version__}, {STEPS} steps a turn")
    taken = alternate.seconds({"ours": ours(), "PyTorch eager": pytorch(), "flowjax": flowjax()})
    print(f"ours against PyTorch {taken['PyTorch eager'] / taken['ours']:.2f}x (least 1.5)")
    for contender, value in taken.items():
        print(f"  {contender:<14} {STEPS / value:7.0f} steps/s  {taken['ours'] / value:5.2f} of ours")
    record.write("train_flow", {"steps": STEPS, "seconds": taken})


if __name__ == "__main__":
    main()
