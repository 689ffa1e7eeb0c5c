"""Sampling a PixelCNN of 28 x 28 images: cached columns in one scan against computing all logits anew for each pixel.

    python -m benchmarks.sample_pixelcnn [--images 16] [--channels 64] [--calls 1]            needs the extra `bench`

7 x 7 mask A, 8 residual blocks of h = 64 channels between streams of 2 h, a head of 64. The naive samplers run the
whole network once a pixel: ours compiled as one scan, PyTorch's eagerly, both for a few pixels whose time is
multiplied. With several calls the images are divided over them, all in flight at once: one call keeps one core busy.
"""

import argparse
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from benchmarks import alternate, record
from benchmarks.torch_pixelcnn import torch_pixelcnn
from jaxgen import likelihood, models, recipes

SHAPE, TORCH_PIXELS, NAIVE_ROWS = (28, 28, 1), 8, 2


def naive(network: models.PixelCNN, params: dict, num: int, pixels: int) -> Callable[[jax.Array], jax.Array]:
    """The first pixels of images, the network applied to the whole image for each."""

    def draw(x: jax.Array, now: tuple) -> tuple[jax.Array, None]:
        position, key = now
        logits = network.apply(params, x.reshape(num, *SHAPE)).reshape(num, -1)
        value = likelihood.bernoulli.draw(key, jax.lax.dynamic_index_in_dim(logits, position, axis=1))
        return jax.lax.dynamic_update_slice(x, value, (0, position)), None

    def sample(key: jax.Array) -> jax.Array:
        positions = jnp.arange(pixels)
        keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, positions)
        return jax.lax.scan(draw, jnp.zeros((num, int(np.prod(SHAPE)))), (positions, keys))[0]

    return jax.jit(sample)


def pytorch(num: int, channels: int) -> Callable[[], None]:
    """The first pixels of images, eagerly."""
    device = "cuda" if torch.cuda.is_available() and jax.default_backend() == "gpu" else "cpu"
    network = torch_pixelcnn(channels).to(device)

    def run() -> None:
        x = torch.zeros(num, 1, 28, 28, device=device)
        with torch.no_grad():
            for position in range(TORCH_PIXELS):
                row, column = divmod(position, 28)
                x[:, :, row, column] = torch.bernoulli(torch.sigmoid(network(x)[:, :, row, column]))
        x.sum().item()

    return run


def main() -> None:
    """Print the seconds of each, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--calls", type=int, default=1)
    options = parser.parse_args()
    num = options.images
    network = models.PixelCNN(SHAPE, options.channels, blocks=8, head=64)
    recipe = recipes.autoregressive(network, optax.sgd(0.0))
    x, key = jnp.zeros((num, *SHAPE)), jax.random.key(1)
    model = recipe.init(jax.random.key(0), {"x": x[:1]}).model
    sample = jax.jit(functools.partial(recipe.sample, num=num // options.calls))

    def cached(key: jax.Array) -> jax.Array:
        parts = [sample(jax.random.fold_in(key, call), model) for call in range(options.calls)]
        return jnp.concatenate(parts)

    naive_rows = naive(network, model.params, num, NAIVE_ROWS * 28)
    forward = jax.jit(lambda x: network.apply(model.params, x))
    drawn = (cached(key), naive_rows(jax.random.split(jax.random.fold_in(key, 0))[1]))
    first, other = (np.asarray(x).reshape(num, -1)[: num // options.calls, : NAIVE_ROWS * 28] for x in drawn)

    taken = alternate.seconds(
        {
            "cached": lambda: cached(key).block_until_ready(),
            "one forward pass": lambda: forward(x).block_until_ready(),
            "naive, compiled": lambda: naive_rows(key).block_until_ready(),
            "naive, PyTorch": pytorch(num, options.channels),
        },
        rounds=5,
    )
    taken["naive, compiled"] *= 28 / NAIVE_ROWS
    taken["naive, PyTorch"] *= 784 / TORCH_PIXELS
    print(f"jax {jax.__version__} on {jax.devices()[0].device_kind}, torch {torch.__version__}, {num} images")
    print(f"of the first {NAIVE_ROWS} rows {np.mean(first == other):.2%} are what the naive sampler draws with the key")
    for name, value in taken.items():
        print(f"  {name:<18} {value:9.4f} s  {value / taken['cached']:8.2f} of cached")
    passes = taken["cached"] / taken["one forward pass"]
    print(f"  {num / taken['cached']:.0f} images/s, {passes:.1f} forward passes")
    record.write("sample_pixelcnn", taken)


if __name__ == "__main__":
    main()
