"""Training steps per second of a VAE 784-400-20, batch 128, Adam, shuffled: ours against PyTorch eager.

    python -m benchmarks.train_vae [--compile]            needs the extra `bench`

Beside it: the same step as one `jit` call each, and the step's matrix products with nothing around them.
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
from jaxgen.preprocess import Preparation

BATCH, STEPS, STEPS_PER_CALL = 128, 200, 50
HIDDEN, LATENT, PIXELS = 400, 20, 784
IMAGES = np.random.default_rng(0).integers(0, 256, (60000, 28, 28, 1), dtype=np.uint8)


def ours(prepare: Preparation, steps_per_call: int = STEPS_PER_CALL) -> Callable[[], None]:
    """What `python -m train` runs: rows from the host, all else in compiled calls."""
    network = models.VAE(models.GaussianEncoder(LATENT, (HIDDEN,)), models.Decoder((28, 28, 1), (HIDDEN,)))
    recipe = recipes.vae(network, optax.inject_hyperparams(optax.adam)(1e-3))
    return compiled.steps_of(recipe, prepare, IMAGES, batch_size=BATCH, num=STEPS, steps_per_call=steps_per_call)


def products() -> Callable[[], None]:
    """The matrix products of a step, forward and backward, each on its own operands, STEPS times."""
    layers = [(PIXELS, HIDDEN), (HIDDEN, LATENT), (HIDDEN, LATENT), (LATENT, HIDDEN), (HIDDEN, PIXELS)]
    keys = iter(jax.random.split(jax.random.key(0), 3 * len(layers)))
    arrays = [
        tuple(jax.random.normal(next(keys), shape) for shape in ((BATCH, inputs), (inputs, outputs), (BATCH, outputs)))
        for inputs, outputs in layers
    ]

    @jax.jit
    def loop(arrays: list) -> jax.Array:
        def body(scale: jax.Array, _: None) -> tuple[jax.Array, None]:
            total = jnp.float32(0)
            for layer, (x, weights, cotangent) in enumerate(arrays):
                x = x * scale  # a dependence on the step before, so that nothing is hoisted out of the loop
                results = [x @ weights, x.T @ cotangent] + ([cotangent * scale @ weights.T] if layer else [])
                # An element of each, through a barrier, keeps the whole product alive without summing it.
                total += sum(result[0, 0] for result in jax.lax.optimization_barrier(results))
            return 1 + 1e-12 * total, None

        return jax.lax.scan(body, jnp.float32(1), None, length=STEPS)[0]

    return lambda: jax.block_until_ready(loop(arrays))


class TorchVAE(torch.nn.Module):
    """The same network."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(PIXELS, HIDDEN)
        self.mean, self.log_var = torch.nn.Linear(HIDDEN, LATENT), torch.nn.Linear(HIDDEN, LATENT)
        self.decoder = torch.nn.Sequential(
            torch.nn.Linear(LATENT, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, PIXELS)
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits, and the mean and log-variance of the posterior."""
        h = torch.relu(self.hidden(x))
        mean, log_var = self.mean(h), self.log_var(h)
        return self.decoder(mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)), mean, log_var


def pytorch(*, binarize: bool, compiled: bool = False) -> Callable[[], None]:
    """A plain loop over shuffled batches of a float tensor, of the eager network or of torch.compile's."""
    device = "cuda" if torch.cuda.is_available() and jax.default_backend() == "gpu" else "cpu"
    network = TorchVAE().to(device)
    network = torch.compile(network) if compiled else network
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    data = torch.from_numpy(IMAGES.reshape(len(IMAGES), -1).astype(np.float32) / 255).to(device)

    def run() -> None:
        order = torch.randperm(len(data), device=device)
        for first in range(0, STEPS * BATCH, BATCH):
            x = data[order[first : first + BATCH]]
            if binarize:
                x = torch.bernoulli(x)
            logits, mean, log_var = network(x)
            reconstruction = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
            kl = 0.5 * torch.sum(mean**2 + torch.expm1(log_var) - log_var)
            loss = (reconstruction + kl) / BATCH
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        loss.item()

    return run


def main() -> None:
    """Print a table of both cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compile", action="store_true", help="torch.compile beside PyTorch eager")
    compiles = parser.parse_args().compile
    print(f"jax {jax.__version__} on {jax.devices()[0].device_kind}, torch {torch.__version__}, {STEPS} steps a turn")
    measured = {}
    for name, prepare, least, aim in (
        ("without binarization", preprocess.scale, 1.8, 2.3),
        ("with binarization", preprocess.binarize, 1.5, 2.0),
    ):
        taken = alternate.seconds(
            {
                "ours": ours(prepare),
                "one jit call a step": ours(prepare, steps_per_call=1),
                **{
                    name: pytorch(binarize=prepare is preprocess.binarize, compiled=compiled)
                    for name, compiled in (("PyTorch eager", False), ("PyTorch compiled", True))
                    if compiles or not compiled
                },
                "matrix products alone": products(),
            }
        )
        measured[name] = taken
        print(
            f"\n{name}: ours against PyTorch {taken['PyTorch eager'] / taken['ours']:.2f}x (least {least}, aim {aim});"
        )
        print(
            f"  ours takes {taken['ours'] / taken['matrix products alone']:.2f} times the products alone (at most 1.6)"
        )
        for contender, value in taken.items():
            print(f"  {contender:<22} {STEPS / value:7.0f} steps/s  {taken['ours'] / value:5.2f} of ours")
    record.write("train_vae", {"steps": STEPS, "seconds": measured})


if __name__ == "__main__":
    main()
