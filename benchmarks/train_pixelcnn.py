"""Steps per second of training a PixelCNN on 28 x 28 binary images, batch 64, Adam: ours against PyTorch eager.

    python -m benchmarks.train_pixelcnn [--channels 64] [--compile]            needs the extra `bench`

7 x 7 mask A, 8 residual blocks of h channels between streams of 2 h, a head of 64. PyTorch keeps images channels first
or, as we do, channels last.
"""

import argparse
from collections.abc import Callable

import jax
import numpy as np
import optax
import torch

from benchmarks import alternate, compiled, record
from benchmarks.torch_pixelcnn import torch_pixelcnn
from jaxgen import models, preprocess, recipes

BATCH, STEPS = 64, 4
IMAGES = np.random.default_rng(0).integers(0, 2, (2000, 28, 28, 1), dtype=np.uint8) * 255


def ours(channels: int, part_size: int) -> Callable[[], None]:
    """What `python -m train configs/pixelcnn_mnist_static.py` runs."""
    recipe = recipes.autoregressive(
        models.PixelCNN((28, 28, 1), channels, blocks=8, head=64), optax.adam(1e-3), part_size=part_size
    )
    return compiled.steps_of(recipe, preprocess.scale, IMAGES, batch_size=BATCH, num=STEPS, steps_per_call=STEPS)


def pytorch(channels: int, layout: torch.memory_format, *, compiled: bool = False) -> Callable[[], None]:
    """A plain loop over shuffled batches of a float tensor, of the eager network or of torch.compile's."""
    device = "cuda" if torch.cuda.is_available() and jax.default_backend() == "gpu" else "cpu"
    network = torch_pixelcnn(channels).to(device, memory_format=layout)
    network = torch.compile(network) if compiled else network
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    data = torch.from_numpy(IMAGES.transpose(0, 3, 1, 2).astype(np.float32) / 255).to(device)

    def run() -> None:
        order = torch.randperm(len(data), device=device)
        for first in range(0, STEPS * BATCH, BATCH):
            x = data[order[first : first + BATCH]].contiguous(memory_format=layout)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(network(x), x, reduction="sum") / BATCH
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        loss.item()

    return run


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--compile", action="store_true", help="torch.compile beside PyTorch eager")
    options = parser.parse_args()
    channels = options.channels
    print(f"jax {jax.__version__} on {jax.devices()[0].device_kind}, torch {torch.__version__}, h = {channels}")
    taken = alternate.seconds(
        {
            "ours, 8 images at a time": ours(channels, 8),
            "ours, the whole batch": ours(channels, BATCH),
            "PyTorch, channels first": pytorch(channels, torch.contiguous_format),
            "PyTorch, channels last": pytorch(channels, torch.channels_last),
            **({"PyTorch compiled": pytorch(channels, torch.channels_last, compiled=True)} if options.compile else {}),
        },
        rounds=5,
    )
    for name, value in taken.items():
        ratio = value / taken["ours, 8 images at a time"]
        print(f"  {name:<26} {STEPS / value:7.2f} steps/s  {ratio:5.2f} of ours' time")
    record.write("train_pixelcnn", {"channels": channels, "steps": STEPS, "seconds": taken})


if __name__ == "__main__":
    main()
