"""Points on the land of the earth: generators that put them into the ocean, copy them, or learn where land is.

    python -m train study world_map [--num 2000] [--samples 5000] [--seed 0] [--out runs/world_map]

The sample space is the sphere, the data points drawn uniformly from the land (Foster 2019, chapter 1). Every generator
is measured by three rates: off the support, the share of its samples on water; memorization, the share nearer to a
training point than the 5th percentile of the training points' own nearest distances, all on the sphere; coverage, the
share of the equal-area cells of land that any of its samples hits. Points of the land that nobody was trained on show
what a perfect generator would reach.

Kernel densities: too narrow (copies), too wide (ocean), and of the width that is best on validation points. A GAN
(WGAN-GP), a VAE and a flow are trained in the study's folder, as by `python -m train CONFIG`; a second call opens them.
"""

import dataclasses
import datetime
import pathlib
import time
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from jaxgen import sampling
from train import config as configs
from train import runs
from train.engine import files, run_directory
from train.engine.record import provenance
from train.evaluation import estimates
from train.evaluation.estimates import Estimate
from train.experiment import Seed, Size
from train.report.drawing import maps
from train.run import train_or_open
from train.runs import Run
from train.studies.world import kernel_density, land, rates

Array = np.ndarray
WIDTHS = (0.001, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.3)  # radians; the first copies, the last floods
_SMALL_GAN = ("--init-std", "None", "--hidden", "128", "128", "--discriminator-hidden", "128", "128",
              "--pieces", "1", "--no-batch-norm", "--latent-dim", "2", "--game", "wasserstein", "--critic-steps", "5",
              "--gradient-penalty", "1", "--beta1", "0.5", "--learning-rate", "5e-4")  # fmt: skip
# Selected on validation points: a flow of this size learns the training points by heart.
_SMALL_FLOW = ("--num-layers", "6", "--batch-size", "128", "--decay-steps", "1500", "--steps", "1500",
               "--evaluate-every", "100", "--select", "nll")  # fmt: skip
_DRAWN = 1000  # samples of each generator in the picture
_NETWORKS = {
    "GAN": ("gan_ring", (*_SMALL_GAN, "--batch-size", "128", "--steps", "5000")),
    "VAE": ("points_vae", ()),
    "flow": ("realnvp_ring", _SMALL_FLOW),
}


@dataclasses.dataclass(kw_only=True)
class Options:
    """Numbers of points, their seed, steps and destination."""

    num: Size = 2000
    """Training points; as many validate."""
    samples: Size = 5000
    """Samples of each generator, and test points."""
    steps: Size | None = None
    """Training steps of each network; None: those of the study."""
    seed: Seed = 0
    """Seed of the points, of the networks and of the samples."""
    out: str = "runs/world_map"
    """Directory of the points, the runs, the results and the picture."""


class Measured(NamedTuple):
    """A generator's samples and what is found of them."""

    points: Array  # unit vectors [N, 3], NaN beyond the poles
    rates: dict[str, Estimate]
    nll: Estimate | None  # of the test points, nats per steradian, where the density is known
    nll_is: str | None  # "exact", or "upper bound"


def draw_points(options: Options) -> dict[str, Array]:
    """Points of the land as unit vectors: train, valid [num, 3] and test [samples, 3]."""
    random = np.random.default_rng(options.seed)
    every = land.draw_land(random, 2 * options.num + options.samples)
    train, valid, test = np.split(every, [options.num, 2 * options.num])
    return {"train": train, "valid": valid, "test": test}


def kernel_densities(points: dict[str, Array], training: rates.Training, options: Options) -> dict[str, Measured]:
    """The narrowest and widest kernels, and those with the best likelihood of the validation points."""
    fits = [kernel_density.log_density(points["valid"], points["train"], width).mean() for width in WIDTHS]
    found = {}
    for width in (WIDTHS[0], WIDTHS[int(np.argmax(fits))], WIDTHS[-1]):
        random = np.random.default_rng([options.seed, 1])
        drawn = kernel_density.draw(random, points["train"], width, options.samples)
        nll = -kernel_density.log_density(points["test"], points["train"], width)
        name = f"kernels of {width:g} radians"
        found[name] = Measured(drawn, rates.measure(training, drawn), estimates.estimate("nats", [nll]), "exact")
    return found


def train_networks(options: Options, points: dict[str, Array], out: pathlib.Path) -> dict[str, Run]:
    """The GAN, the VAE and the flow, trained on the points in the plane."""
    file = out / "points.npz"
    train, valid, test = (land.to_plane(points[part]).astype(np.float32) for part in ("train", "valid", "test"))
    np.savez(file, x_train=train, x_valid=valid, x_test=test)
    data = f"npz:{file.resolve()}"
    steps = (
        ()
        if options.steps is None
        else tuple(
            f"--{name}={options.steps}" for name in ("steps", "evaluate-every", "checkpoint-every", "steps-per-call")
        )
    )
    trained = {}
    for name, (config, given) in _NETWORKS.items():
        arguments = ["--data", data, "--seed", str(options.seed), *given, *steps]
        trained[name] = train_or_open(configs.load(config), out / name.lower(), None, arguments)
    return trained


def draw(run: Run, key: jax.Array, num: int) -> Array:
    """Draws of x from a run's model, of a VAE from p(x | z) and not its mean: in the plane, [num, 2]."""
    recipe, model = run.recipe, run.models[0]
    key_code, key_x = jax.random.split(key)
    if recipe.draw_x is None or recipe.encode is None:
        assert recipe.sample is not None
        return np.asarray(jax.jit(recipe.sample, static_argnums=2)(key_code, model, num))
    latent_dim = jax.eval_shape(recipe.encode, model, run.dataset.test["x"][:1]).shape[1]
    z = sampling.standard_normal(key_code, num, (latent_dim,))
    return np.asarray(jax.jit(recipe.draw_x)(key_x, model, z))


def measure_run(run: Run, points: dict[str, Array], training: rates.Training, options: Options) -> Measured:
    """A network's samples, their rates, and its likelihood of the test points, where it has one."""
    key_draw, key_nll = jax.random.split(jax.random.key(options.seed))
    drawn = land.to_sphere(draw(run, key_draw, options.samples))
    measured = Measured(drawn, rates.measure(training, drawn), None, None)
    if run.recipe.log_prob is None:
        return measured
    log_prob = jax.jit(run.recipe.log_prob, static_argnames="num_samples")
    nats = log_prob(key_nll, run.models[0], run.dataset.test["x"], num_samples=100)
    nll = estimates.estimate("nats", [-(np.asarray(nats, np.float64) + land.LOG_AREA)])
    return measured._replace(nll=nll, nll_is="exact" if run.recipe.log_prob_is == "exact" else "upper bound")


def show(name: str, measured: Measured) -> str:
    """Format the rates, and the likelihood where there is one, with their intervals."""
    parts = {**measured.rates, **({} if measured.nll is None else {"nll": measured.nll})}
    values = ", ".join(f"{part} {found.value:.4f} [{found.low:.4f}, {found.high:.4f}]" for part, found in parts.items())
    return f"{name}: {values}"


def as_json(measured: Measured) -> dict:
    """The rates and the likelihood as a dictionary for JSON."""
    found = {name: estimate._asdict() for name, estimate in measured.rates.items()}
    return found if measured.nll is None else {**found, "nll": measured.nll._asdict(), "nll_is": measured.nll_is}


def panels(train: Array, training: rates.Training, found: dict[str, Measured]) -> list[tuple[str, Array, Array, Array]]:
    """For each map (title, points in the plane, whether on water, whether copies), of some of the points."""
    some = slice(0, _DRAWN)
    drawn = [(f"{len(train):,} training points", land.to_plane(train), np.zeros((2, len(train)), bool))]
    for name, each in found.items():
        shares = [f"{100 * (each.rates[rate].value or 0):.1f} % {rate}" for rate in ("off_support", "memorization")]
        points = each.points[some]
        kinds = np.stack([~land.is_land(points), rates.is_copy(training, points)])
        drawn.append((f"{name}: {', '.join(shares)}".replace("_", " "), land.to_plane(points), kinds))
    return [(title, points, water, copy) for title, points, (water, copy) in drawn]


def main(arguments: Sequence[str]) -> None:
    """Run the command line."""
    started = time.perf_counter()
    options = runs.bind(Options, arguments, prog="python -m train study world_map", description=__doc__)
    out = run_directory.make_directory("--out", options.out)
    origin = provenance.origin(["study", "world_map", *arguments], jax.local_devices())
    points = draw_points(options)
    training = rates.of_training(points["train"])
    found = {"points of the land": Measured(points["test"], rates.measure(training, points["test"]), None, None)}
    found |= kernel_densities(points, training, options)
    for name, run in train_networks(options, points, out).items():
        found[name] = measure_run(run, points, training, options)
    result = {
        "values": {name: value for name, value in vars(options).items() if name != "out"},
        "share_of_land": land.share_of_land(),
        "nll_of_the_truth": float(np.log(4 * np.pi * land.share_of_land())),
        "copy_within_radians": training.copy_within,
        "land_cells": len(land.land_cells()),
        "generators": {name: as_json(measured) for name, measured in found.items()},
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "provenance": origin | {"seconds": round(time.perf_counter() - started, 1)},
    }
    files.write_json(out / "world_map.json", result)
    for name, measured in found.items():
        print(show(name, measured))
    maps.save_world(out / "world_map.png", *land.grid(), land.mask(), panels(points["train"], training, found))
    print(out / "world_map.png")
