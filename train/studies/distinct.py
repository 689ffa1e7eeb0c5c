"""How many different outputs a generator has: of its input alone, or with randomness of its own.

    python -m train study distinct RUN [--bits 1 2 3] [--num 20000]

A deterministic generator has at most as many outputs as inputs: "once unique inputs are over, unique outputs are over".
Here a model is asked for images from codes of Z values, each of them one of 2^b quantiles of N(0, 1), so that there are
2^(b Z) codes. Counted are different codes, their different decodings (8 bits a pixel), and different draws from
p(x | z), which have noise of their own. Writes results/distinct.json into the run.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from train import runs
from train.engine.compile import over_examples
from train.errors import InputError
from train.experiment import Seed, Size
from train.report import results
from train.runs import Run

_BATCH_SIZE = 1000


@dataclasses.dataclass(kw_only=True)
class Options(runs.Reading):
    """Which model, which codes, how many outputs."""

    bits: tuple[Size, ...] = (1, 2, 3, 8)
    """Bits of each value of a code."""
    num: Size = 20_000
    """Outputs to ask for."""
    seed: Seed = 0
    """Seed of the codes and of the model's noise."""


def quantized_codes(random: np.random.Generator, num: int, shape: Sequence[int], bits: int) -> np.ndarray:
    """Draw codes whose values are the middles of 2^bits equally likely parts of N(0, 1): float32 [num, *shape]."""
    parts = random.integers(2**bits, size=(num, *shape))
    return np.asarray(jax.scipy.special.ndtri((parts + 0.5) / 2**bits), np.float32)


def count_distinct(values: np.ndarray) -> int:
    """Number of different rows: [N, ...] -> at most N."""
    return len({row.tobytes() for row in values})


def count(
    random: np.random.Generator, outputs: Callable[[np.ndarray], dict[str, np.ndarray]], shape: Sequence[int],
    *, bits: int, num: int,
) -> dict[str, Any]:  # fmt: skip
    """Different codes among `num`, and different outputs of each kind."""
    z = quantized_codes(random, num, shape, bits)
    found = {name: count_distinct(values) for name, values in outputs(z).items()}
    return {"bits": bits, "possible_codes": 2.0 ** (bits * math.prod(shape)), "codes": count_distinct(z), **found}


def make_outputs(run: Run, seed: int) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Codes -> decodings and draws of the first seed's model, as 8-bit images."""
    recipe = run.recipe
    decode, draw = recipe.decode, recipe.draw_x
    assert decode is not None
    assert draw is not None

    def generate(key: jax.Array, model: Any, batch: dict) -> dict[str, jax.Array]:
        found = {"decodings": decode(model, batch["x"]), "draws": draw(key, model, batch["x"])}
        return {name: jnp.round(255 * jnp.clip(run.prepare.to_unit(x), 0, 1)).astype(jnp.uint8)
                for name, x in found.items()}  # fmt: skip

    on_all = over_examples(generate, batch_size=_BATCH_SIZE)
    return lambda z: on_all(jax.random.key(seed), run.models[0], {"x": z})


def code_shape(run: Run, given: str) -> tuple[int, ...]:
    """Shape of a code; InputError for a family without a code and noise of its own."""
    recipe = run.recipe
    if recipe.encode is None or recipe.decode is None or recipe.draw_x is None or recipe.conditional:
        raise InputError(f"{given}: expected an unconditional model with a latent code and a likelihood, such as a VAE")
    x = jax.ShapeDtypeStruct((1, *run.dataset.spec.shape), jnp.float32)
    return jax.eval_shape(recipe.encode, run.models[0], x).shape[1:]


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = runs.bind(Options, arguments, prog="python -m train study distinct", description=__doc__)
    run = runs.open_run(options)
    shape, random = code_shape(run, options.run), np.random.default_rng(options.seed)
    outputs, rows = make_outputs(run, options.seed), []
    for bits in options.bits:
        row = count(random, outputs, shape, bits=bits, num=options.num)
        rows.append(row)
        print(f"{bits} bits a value, {row['possible_codes']:.3g} codes: of {options.num} outputs asked for, "
              f"{row['codes']} codes, {row['decodings']} decodings and {row['draws']} draws differ")  # fmt: skip
    print(results.write(run, "distinct", options, {"num": options.num, "rows": rows}))
