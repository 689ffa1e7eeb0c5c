"""GAN training on a line, where the optimum is known: the theory of GANs in numbers and a plot.

    python -m train study minmax [--out runs/minmax]

The claims and their sources are stated in train/studies/line_game.py.
"""

import dataclasses
import functools

import jax
import numpy as np

from train import runs
from train.engine import files, run_directory
from train.engine.record import provenance
from train.errors import InputError
from train.evaluation import estimates
from train.experiment import Size
from train.report.drawing import charts
from train.studies import line_game

_UNITS = {"optimal_value": "nats", "value": "nats", "kl": "nats", "distance_from_half": "of 1"}
_PARTS = (line_game.fit_discriminator, line_game.generator_gradients, line_game.critic_gradients)


@dataclasses.dataclass(kw_only=True)
class Options:
    """Steps, seeds and destination."""

    steps: Size = 2000
    """Training steps of the discriminator, a multiple of 50."""
    seeds: Size = 10
    """Seeds, trained with one compilation."""
    out: str = "runs/minmax"
    """Directory of the results and the plot."""


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = runs.bind(Options, arguments, prog="python -m train study minmax", description=__doc__)
    if options.steps % line_game.PROBES:
        raise InputError(f"--steps {options.steps}: expected a multiple of {line_game.PROBES}")
    out = run_directory.make_directory("--out", options.out)
    origin = provenance.origin(["study", "minmax", *arguments], jax.local_devices())
    keys = jax.random.split(jax.random.key(0), (len(_PARTS), options.seeds))
    per_seed = [
        jax.jit(jax.vmap(functools.partial(part, steps=options.steps)))(key)
        for part, key in zip(_PARTS, keys, strict=True)
    ]
    optimum, way, bound = (jax.tree.map(np.asarray, part) for part in per_seed)
    at = (np.arange(line_game.PROBES) + 1) * (options.steps // line_game.PROBES)
    charts.save_minmax(out / "minmax.png", np.asarray(line_game.GRID), optimum, at, way, bound)
    last = {name: values[:, -1] for name, values in {**way, **bound}.items()}
    scalars = {name: optimum[name] for name in ("optimal_value", "value", "kl", "distance_from_half")} | last
    found = {
        name: estimates.estimate(_UNITS.get(name, "norm of a gradient"), [value[None] for value in values])
        for name, values in scalars.items()
    }
    result = {
        "values": {"steps": options.steps, "seeds": options.seeds},
        "metrics": {name: estimate._asdict() for name, estimate in found.items()},
        "provenance": origin,
    }
    files.write_json(out / "minmax.json", result)
    for name, estimate in found.items():
        print(estimates.line(name, estimate))
    print(out / "minmax.png")
