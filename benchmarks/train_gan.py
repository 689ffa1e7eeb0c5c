"""Rounds per second of a DCGAN on 28 x 28 images, batch 64, Adam, shuffled: ours against PyTorch eager, both layouts.

    python -m benchmarks.train_gan [--compile]            needs the extra `bench`

A round is one step of the discriminator and one of the generator. PyTorch keeps images channels first or, as we do,
channels last; the better of the two is what we are held against.
"""

import argparse
from collections.abc import Callable

import jax
import numpy as np
import optax
import torch

from benchmarks import alternate, compiled, record
from jaxgen import models, preprocess, recipes

BATCH, STEPS, STEPS_PER_CALL = 64, 20, 20
LATENT, CHANNELS = 100, (64, 128)
IMAGES = np.random.default_rng(0).integers(0, 256, (6000, 28, 28, 1), dtype=np.uint8)


def ours() -> Callable[[], None]:
    """What `python -m train configs/dcgan_mnist.py --channels 64 128` runs."""
    recipe = recipes.gan(
        models.DCGANGenerator((28, 28, 1), CHANNELS[::-1]),
        models.DCGANDiscriminator(CHANNELS),
        optax.inject_hyperparams(optax.adam)(2e-4, b1=0.5),
        optax.adam(2e-4, b1=0.5),
        latent_dim=LATENT,
    )
    return compiled.steps_of(
        recipe, preprocess.scale_symmetric, IMAGES, batch_size=BATCH, num=STEPS, steps_per_call=STEPS_PER_CALL
    )


def torch_networks() -> tuple[torch.nn.Module, torch.nn.Module]:
    """The same generator and discriminator."""
    first, second = CHANNELS
    generator = torch.nn.Sequential(
        torch.nn.Linear(LATENT, second * 7 * 7, bias=False),
        torch.nn.Unflatten(1, (second, 7, 7)),
        torch.nn.BatchNorm2d(second),
        torch.nn.ReLU(),
        torch.nn.ConvTranspose2d(second, first, 4, 2, 1, bias=False),
        torch.nn.BatchNorm2d(first),
        torch.nn.ReLU(),
        torch.nn.ConvTranspose2d(first, 1, 4, 2, 1),
        torch.nn.Tanh(),
    )
    discriminator = torch.nn.Sequential(
        torch.nn.Conv2d(1, first, 4, 2, 1),
        torch.nn.LeakyReLU(0.2),
        torch.nn.Conv2d(first, second, 4, 2, 1),
        torch.nn.BatchNorm2d(second),
        torch.nn.LeakyReLU(0.2),
        torch.nn.Flatten(),
        torch.nn.Linear(second * 7 * 7, 1),
    )
    return generator, discriminator


def pytorch(layout: torch.memory_format, *, compiled: bool = False) -> Callable[[], None]:
    """A plain loop over shuffled batches of a float tensor, of eager networks or of torch.compile's."""
    device = "cuda" if torch.cuda.is_available() and jax.default_backend() == "gpu" else "cpu"
    generator, discriminator = (network.to(device, memory_format=layout) for network in torch_networks())
    if compiled:
        generator, discriminator = torch.compile(generator), torch.compile(discriminator)
    of_generator = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    of_discriminator = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    data = torch.from_numpy(IMAGES.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1).to(device)
    softplus = torch.nn.functional.softplus

    def run() -> None:
        order = torch.randperm(len(data), device=device)
        for first in range(0, STEPS * BATCH, BATCH):
            real = data[order[first : first + BATCH]].contiguous(memory_format=layout)
            with torch.no_grad():
                fake = generator(torch.randn(BATCH, LATENT, device=device))
            loss = softplus(-discriminator(real)).mean() + softplus(discriminator(fake)).mean()
            of_discriminator.zero_grad()
            loss.backward()
            of_discriminator.step()
            loss = softplus(-discriminator(generator(torch.randn(BATCH, LATENT, device=device)))).mean()
            of_generator.zero_grad()
            loss.backward()
            of_generator.step()
        loss.item()

    return run


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compile", action="store_true", help="torch.compile beside PyTorch eager")
    compiles = parser.parse_args().compile
    print(f"jax {jax.__version__} on {jax.devices()[0].device_kind}, torch {torch.__version__}, {STEPS} rounds a turn")
    taken = alternate.seconds(
        {
            "ours": ours(),
            "PyTorch, channels first": pytorch(torch.contiguous_format),
            "PyTorch, channels last": pytorch(torch.channels_last),
            **({"PyTorch compiled": pytorch(torch.channels_last, compiled=True)} if compiles else {}),
        }
    )
    best = min(value for name, value in taken.items() if name != "ours")
    print(f"\nours against the better PyTorch {best / taken['ours']:.2f}x (least 0.8, aim 1.2)")
    for contender, value in taken.items():
        print(f"  {contender:<24} {STEPS / value:7.1f} rounds/s  {taken['ours'] / value:5.2f} of ours")
    record.write("train_gan", {"rounds": STEPS, "seconds": taken})


if __name__ == "__main__":
    main()
