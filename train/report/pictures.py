"""The figures of a run, drawn into `figures/` with the first seed's model."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from train import runs
from train.data import spread
from train.engine.compile import over_examples
from train.engine.keys import make_keys
from train.engine.record import log
from train.engine.validation import prepare_set
from train.evaluation.estimates import UNITS
from train.evaluation.samples import conditions
from train.evaluation.samples import draw as draw_samples
from train.report import added
from train.report.drawing import charts, images, scatter
from train.runs import Run


class Picture(NamedTuple):
    """A PNG or SVG file."""

    path: pathlib.Path
    caption: str
    pixels: bool = False  # whether it shows enlarged pixels


_MOST_SCATTERED = 5000
_CLOUDS = 12  # examples whose posteriors are drawn


def draw(run: Run) -> dict[str, Picture]:
    """Draw every figure that the recipe and the data allow; returns them by name, with those added by commands."""
    folder = run.path / "figures"
    folder.mkdir(exist_ok=True)
    test = prepare_test(run)
    drawn = (
        curves(log.read(run.path / "metrics.jsonl"), folder)
        | _samples(run, folder)
        | _reconstructions(run, folder, _spread(test, 32))
    )
    few = _spread(test, _MOST_SCATTERED)
    drawn |= _latent_space(run, folder, few) | _plane(run, folder, few)
    return drawn | {name: Picture(run.path / file, caption) for name, (file, caption) in added.read(run).items()}


def prepare_test(run: Run) -> dict[str, np.ndarray]:
    """The prepared test examples, with the same noise as in the evaluation of the first seed."""
    return prepare_set(make_keys(run.experiment.seed).evaluate, run.prepare, run.dataset.test).prepared


def codes(run: Run, examples: Mapping[str, np.ndarray]) -> np.ndarray:
    """Codes of prepared examples: [N, Z]."""
    assert run.recipe.encode is not None
    encode = run.recipe.encode
    on_batch = over_examples(lambda key, model, batch: encode(model, batch["x"], y=batch.get("y")), batch_size=500)
    return on_batch(jax.random.key(0), run.models[0], examples)


def _posterior_draws(run: Run, test: Mapping[str, np.ndarray]) -> np.ndarray:
    """100 draws from q(z | x) for each example, [N, 100, Z]; N = 0 for a deterministic encoder."""
    draw = run.recipe.draw_code
    if draw is None:
        return np.zeros((0, 100, 1))
    repeated = {name: np.repeat(array, 100, axis=0) for name, array in test.items()}
    z = jax.jit(draw)(run.keys[0].validate, run.models[0], repeated["x"], y=repeated.get("y"))
    return np.asarray(z).reshape(len(test["x"]), 100, -1)


def curves(entries: list[dict], folder: pathlib.Path) -> dict[str, Picture]:
    """Draw the curves of a log's lines, if there are any."""
    if not entries:
        return {}
    if "generator_gradient_norm" in entries[0]:
        return _game(entries, folder)
    validated = next((f"valid_{name}" for name in UNITS if any(f"valid_{name}" in entry for entry in entries)), "loss")
    names = ["loss"] if validated == "valid_accuracy" else sorted({"loss", validated})
    caption = "Training loss (mean over each compiled call) and validation metric over steps."
    return _save_curves(folder / "curves.svg", entries, names, caption)


def _game(log: list[dict], folder: pathlib.Path) -> dict[str, Picture]:
    """Curves of GAN training: losses, balance of the players and gradient norms."""
    balance = {
        "discriminator_accuracy": "accuracy of the discriminator",
        "diversity": "variance of generated over that of real examples",
    }
    logged = {metric: what for metric, what in balance.items() if metric in log[0]}  # a critic has no accuracy
    pictures = {
        "losses": (("loss", "discriminator_loss"), "Losses of generator and discriminator"),
        "balance": (tuple(logged), "Balance: " + ", and ".join(logged.values())),
        "gradients": (
            ("generator_gradient_norm", "discriminator_gradient_norm"),
            "Gradient norms of both players",
        ),
    }
    drawn: dict[str, Picture] = {}
    for name, (metrics, caption) in pictures.items():
        drawn |= _save_curves(folder / f"{name}.svg", log, metrics, f"{caption}, over steps.")
    return drawn


def _save_curves(file: pathlib.Path, entries: list[dict], names: Sequence[str], caption: str) -> dict[str, Picture]:
    """Draw the metrics that were logged, if any was."""
    logged = [name for name in names if any(name in entry for entry in entries)]
    if logged:
        units = dict.fromkeys(UNITS.get(name.removeprefix("valid_"), "") for name in logged)
        charts.save_curves(file, entries, logged, ", ".join(filter(None, units)) or "value")
    return {file.stem.capitalize(): Picture(file, caption)} if logged else {}


def _samples(run: Run, folder: pathlib.Path) -> dict[str, Picture]:
    if run.recipe.sample is None:
        return {}
    if run.dataset.spec.shape == (2,):
        return _points(run, folder)
    sample = jax.jit(run.recipe.sample, static_argnums=2)
    y = conditions(run, 64)
    samples = runs.in_unit_interval(run, np.asarray(sample(run.keys[0].sample, run.models[0], 64, y=y)))
    if not images.save_examples(folder / "samples.png", samples):
        return {}
    given = "" if y is None else ", each given the condition of a test example"
    caption = f"64 samples from the model{given}, not cherry-picked."
    return {"Samples": Picture(folder / "samples.png", caption, pixels=True)}


def _points(run: Run, folder: pathlib.Path) -> dict[str, Picture]:
    samples_per_seed = [
        draw_samples(run, model, keys.sample, 2500) for keys, model in zip(run.keys, run.models, strict=True)
    ]
    scatter.save_points(folder / "samples.svg", run.dataset.test["x"], samples_per_seed)
    each = "" if len(samples_per_seed) == 1 else " of each seed"
    caption = f"2,500 samples from the model{each}, not cherry-picked, over test data in grey."
    return {"Samples": Picture(folder / "samples.svg", caption)}


def _reconstructions(run: Run, folder: pathlib.Path, test: Mapping[str, np.ndarray]) -> dict[str, Picture]:
    recipe, model, y = run.recipe, run.models[0], test.get("y")
    if recipe.encode is None or recipe.decode is None:
        return {}
    decoded = np.asarray(jax.jit(recipe.decode)(model, codes(run, test), y=y))
    x, reconstructed = (runs.in_unit_interval(run, each) for each in (test["x"], decoded))
    if not images.save_pairs(folder / "reconstructions.png", x, reconstructed):
        return {}
    caption = "x: test examples as the model sees them; r, below each: its reconstruction from the (mean) code."
    return {"Reconstructions": Picture(folder / "reconstructions.png", caption)}


def _latent_space(run: Run, folder: pathlib.Path, test: Mapping[str, np.ndarray]) -> dict[str, Picture]:
    recipe, y = run.recipe, test.get("y")
    if recipe.encode is None:
        return {}
    z = codes(run, test)
    if z.ndim > 2:
        x, z = (runs.in_unit_interval(run, each[:32]) for each in (test["x"], z))
        if not images.save_pairs(folder / "codes.png", x, z, mark="z"):
            return {}
        return {"Codes": Picture(folder / "codes.png", "x: test examples; z, below each: its code, an image.")}
    project, what = (lambda z: np.pad(z, ((0, 0), (0, 2 - z.shape[1])))), "the latent space"
    if z.shape[1] > 2:
        from sklearn.decomposition import PCA

        projection = PCA(2, svd_solver="full").fit(z)
        project, share = projection.transform, projection.explained_variance_ratio_.sum()
        what = f"the plane of their two principal components, {share:.0%} of their variance"
    # The projection is orthonormal, so the projected prior is N(origin, I).
    prior = None if recipe.sample is None else project(np.zeros_like(z[:1]))[0]
    clouds = [project(cloud) for cloud in _posterior_draws(run, _spread(test, _CLOUDS))]
    name = "component" if z.shape[1] > 2 else "z"
    scatter.save_codes(folder / "latent.svg", project(z), y, name, prior, clouds)
    caption = f"Codes of {len(z)} test examples in {what}"
    caption += "" if prior is None else "; dashed: 1, 2 and 3 standard deviations of the prior"
    caption += "; black: two standard deviations of the posteriors of some examples" if clouds else ""
    drawn = {"Latent space": Picture(folder / "latent.svg", f"{caption}.")}
    if z.shape[1] != 2 or recipe.decode is None:
        return drawn
    axis = np.linspace(-3, 3, 20, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis[::-1]), axis=-1).reshape(-1, 2)
    labels = None if y is None else np.repeat(y[:1], len(grid))
    decoded = np.asarray(jax.jit(recipe.decode)(run.models[0], grid, y=labels))
    if images.save_examples(folder / "grid.png", runs.in_unit_interval(run, decoded), 20):
        caption = "Decodings of a 20 x 20 grid of codes over [-3, 3] x [-3, 3]."
        drawn["Decoded grid"] = Picture(folder / "grid.png", caption, pixels=True)
    return drawn


def _plane(run: Run, folder: pathlib.Path, test: Mapping[str, np.ndarray]) -> dict[str, Picture]:
    """Decision boundaries and class densities, for data in the plane."""
    recipe, model, y = run.recipe, run.models[0], test.get("y")
    if recipe.classify is None or y is None or test["x"].shape[1:] != (2,):
        return {}
    classify, key = jax.jit(recipe.classify), run.keys[0].sample
    log_prob = None if recipe.log_prob is None else jax.jit(recipe.log_prob)
    num_classes = jax.eval_shape(classify, key, model, test["x"]).shape[1]

    def densities(x: np.ndarray) -> np.ndarray:
        assert log_prob is not None
        per_class = [log_prob(key, model, x, y=np.full(len(x), label)) for label in range(num_classes)]
        return np.stack(per_class, axis=1)

    scatter.save_plane(
        folder / "plane.svg",
        test["x"],
        y,
        lambda x: np.asarray(classify(key, model, x)),
        None if log_prob is None else densities,
    )
    ellipses = "" if log_prob is None else "; in colour: one and two standard deviations of each class density"
    return {"Plane": Picture(folder / "plane.svg", f"Test points, and in black the decision boundaries{ellipses}.")}


def _spread(examples: Mapping[str, np.ndarray], num: int) -> dict[str, np.ndarray]:
    """At most `num` examples, spread over the set."""
    rows = spread(len(examples["x"]), num)
    return {name: array[rows] for name, array in examples.items()}
