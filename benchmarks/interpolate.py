"""All 45 pairs of 10 classes x 20 alphas, decoded in one compiled call, against loops of single decodes.

    python -m benchmarks.interpolate          needs the extra `bench`

The decoder is 20-500-500-784; every contender ends with the 900 images as one array.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
import torch

from benchmarks import alternate, record
from jaxgen import latent, models

CLASSES, LATENT, HIDDEN, PIXELS = 10, 20, 500, 784
ALPHAS = np.linspace(-3, 3, 20, dtype=np.float32)
CENTROIDS = np.random.default_rng(0).normal(size=(CLASSES, LATENT)).astype(np.float32)
PAIRS = [(a, b) for a in range(CLASSES) for b in range(a + 1, CLASSES)]


def main() -> None:
    """Print the seconds of each way and the ratios."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    decoder = models.Decoder((PIXELS,), (HIDDEN, HIDDEN))
    params = decoder.init(jax.random.key(0), jnp.zeros((1, LATENT)))

    @jax.jit
    def all_at_once(centroids: jax.Array) -> jax.Array:
        first, _ = jnp.triu_indices(CLASSES, k=1)
        walks = jax.vmap(lambda start, along: latent.walk(start[None], along, ALPHAS)[:, 0])
        z = walks(centroids[first], latent.pairwise_directions(centroids))
        return jax.nn.sigmoid(decoder.apply(params, z.reshape(-1, LATENT)))

    decode = jax.jit(lambda z: jax.nn.sigmoid(decoder.apply(params, z)))

    def jitted_loop() -> np.ndarray:
        points = (CENTROIDS[a] + alpha * (CENTROIDS[a] - CENTROIDS[b]) for a, b in PAIRS for alpha in ALPHAS)
        return np.concatenate([np.asarray(decode(z[None])) for z in points])

    network = torch.nn.Sequential(
        torch.nn.Linear(LATENT, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, HIDDEN), torch.nn.ReLU(),
        torch.nn.Linear(HIDDEN, PIXELS), torch.nn.Sigmoid(),
    )  # fmt: skip
    centroids = torch.from_numpy(CENTROIDS)

    @torch.no_grad()
    def torch_loop() -> torch.Tensor:
        points = (centroids[a] + float(alpha) * (centroids[a] - centroids[b]) for a, b in PAIRS for alpha in ALPHAS)
        return torch.cat([network(z[None]) for z in points])

    np.testing.assert_allclose(all_at_once(CENTROIDS), jitted_loop(), atol=1e-5)
    taken = alternate.seconds(
        {
            "one compiled call": lambda: jax.block_until_ready(all_at_once(CENTROIDS)),
            "loop of PyTorch decodes": torch_loop,
            "loop of jitted decodes": jitted_loop,
        }
    )
    print(f"jax {jax.__version__} on {jax.devices()[0].device_kind}, torch {torch.__version__}, 900 images")
    for name, seconds in taken.items():
        print(f"{name:<24} {1e3 * seconds:8.2f} ms  {seconds / taken['one compiled call']:6.1f} x the one call")
    print("least: 10x the PyTorch loop, 80x the jitted loop; aim: 14x and 120x")
    record.write("interpolate", taken)


if __name__ == "__main__":
    main()
