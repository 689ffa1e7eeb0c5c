"""Forward and backward of a convolution (weights, bias and input) on the CPU, against PyTorch and against Flax's own.

    python -m benchmarks.conv         64 -> 64 channels, 3x3, 28x28, batch 64; needs the extra `bench`

One line a case: medians over rounds in which all take turns, so that a busy machine meets them alike. Ratios are
other / ours: above 1 we are faster. Flax's own gradients inside a scan take seconds, and so are timed once.

Two idle cores, jax 0.12, PyTorch 2.13: 1.03x PyTorch alone, 1.06x in a scan (its channels last: 0.99x, 0.94x). jax 0.10
runs such convolutions on one thread: 0.52x and 0.57x, or 0.70x and 0.79x on two threads under
XLA_FLAGS=--xla_cpu_experimental_ynn_fusion_type=LIBRARY_FUSION_TYPE_DOT. With one core of the two taken by another
process, PyTorch loses more: 1.9x and 2.0x with either jax.
"""

import argparse
from collections.abc import Callable

import jax
import jax.numpy as jnp
import torch
from flax import linen as nn

from benchmarks import alternate, record
from jaxgen.models import conv

BATCH, SIZE, CHANNELS, KERNEL = 64, 28, 64, 3
RATE = 1e-3
SCANNED_STEPS = 3


def jax_steps(layer: nn.Module, num_steps: int) -> Callable[[], object]:
    """Compile steps of gradient descent on the layer's parameters and input, in a scan where there are several."""
    x = jax.random.normal(jax.random.key(0), (BATCH, SIZE, SIZE, CHANNELS))
    params = layer.init(jax.random.key(1), x)

    def loss(params, x):
        return jnp.mean(jnp.square(layer.apply(params, x)))

    def step(carry, _=None):
        value, grads = jax.value_and_grad(loss, argnums=(0, 1))(*carry)
        return jax.tree.map(lambda leaf, grad: leaf - RATE * grad, carry, grads), value

    def scanned(carry):
        return jax.lax.scan(step, carry, length=num_steps)

    compiled = jax.jit(step if num_steps == 1 else scanned).lower((params, x)).compile()
    return lambda: jax.block_until_ready(compiled((params, x)))


def torch_steps(memory_format: torch.memory_format, num_steps: int) -> Callable[[], object]:
    """The same steps in PyTorch, eager."""
    x = torch.randn(BATCH, CHANNELS, SIZE, SIZE).to(memory_format=memory_format)
    layer = torch.nn.Conv2d(CHANNELS, CHANNELS, KERNEL, padding="same").to(memory_format=memory_format)

    def steps():
        leaves = [x, layer.weight, layer.bias]
        for _ in range(num_steps):
            leaves = [leaf.detach().requires_grad_() for leaf in leaves]
            loss = torch.nn.functional.conv2d(*leaves, padding="same").square().mean()
            grads = torch.autograd.grad(loss, leaves)
            with torch.no_grad():
                leaves = [leaf - RATE * grad for leaf, grad in zip(leaves, grads, strict=True)]
        return leaves

    return steps


def main() -> None:
    """Print a line a case."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    torch.set_num_threads(2)
    print(f"jax {jax.__version__}, torch {torch.__version__}")
    measured = {}
    for case, num_steps in (("alone", 1), (f"scan of {SCANNED_STEPS}", SCANNED_STEPS)):
        runners = {
            "jaxgen": jax_steps(conv(CHANNELS, (KERNEL, KERNEL)), num_steps),
            "torch": torch_steps(torch.contiguous_format, num_steps),
            "torch channels last": torch_steps(torch.channels_last, num_steps),
        }
        flax = {"flax": jax_steps(nn.Conv(CHANNELS, (KERNEL, KERNEL)), num_steps)}
        alone = num_steps == 1
        times = alternate.seconds(runners | flax if alone else runners, rounds=9)
        if not alone:  # seconds a step
            times |= alternate.seconds(flax, rounds=1)
        measured[case] = {name: time / num_steps for name, time in times.items()}
        milliseconds = {name: 1e3 * time / num_steps for name, time in times.items()}
        ours = milliseconds.pop("jaxgen")
        others = ", ".join(f"{name} {time:.1f} ms ({time / ours:.2f}x)" for name, time in milliseconds.items())
        print(f"{case}: jaxgen {ours:.1f} ms a step, {others}", flush=True)
    record.write("conv", measured)


if __name__ == "__main__":
    main()
