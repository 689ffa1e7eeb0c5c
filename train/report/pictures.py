"""The figures of a run, drawn into `figures/` with the first seed's model."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import TypedDict

import jax
import numpy as np

from train import runs
from train.data import spread
from train.engine import files
from train.engine.compile import over_examples
from train.engine.keys import make_keys
from train.engine.record import log
from train.engine.validation import prepare_set
from train.errors import InputError
from train.evaluation.estimates import UNITS
from train.evaluation.samples import draw as draw_samples
from train.report import charts, images, scatter
from train.runs import Run

Picture = tuple[pathlib.Path, str]  # a file, and its caption


class _Added(TypedDict):
    """figures/added.json: the step of the models, and (file, caption) of each picture."""

    step: int | list[int]
    pictures: dict[str, tuple[str, str]]


_MOST_SCATTERED = 5000
_CLOUDS = 12  # examples whose posteriors are drawn


def draw(run: Run) -> dict[str, Picture]:
    """Draw every figure that the recipe and the data allow; returns them by name, with those added by commands."""
    folder = run.path / "figures"
    folder.mkdir(exist_ok=True)
    key = make_keys(run.experiment.seed).evaluate  # the same examples, with the same noise, as in the evaluation
    test = prepare_set(key, run.prepare, run.dataset.test).prepared
    drawn = _curves(run, folder) | _samples(run, folder) | _reconstructions(run, folder, _spread(test, 32))
    few = _spread(test, _MOST_SCATTERED)
    drawn |= _latent_space(run, folder, few) | _plane(run, folder, few)
    return drawn | {name: (run.path / file, caption) for name, (file, caption) in read_added(run).items()}


def add(run: Run, name: str, file: str, caption: str) -> None:
    """Add the picture `file` to the report under this name, until the run is trained further."""
    (run.path / "figures").mkdir(exist_ok=True)
    added = {"step": run.step, "pictures": read_added(run) | {name: (file, caption)}}
    files.write_json(run.path / "figures" / "added.json", added)


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
    z = draw(run.keys[0].validate, run.models[0], repeated["x"], y=repeated.get("y"))
    return np.asarray(z).reshape(len(test["x"]), 100, -1)


def read_added(run: Run) -> dict[str, tuple[str, str]]:
    """Added pictures of the current model: (file, caption) by name."""
    try:
        added = files.read_json(run.path / "figures" / "added.json", _Added, "the pictures of commands")
    except InputError:
        return {}
    whole = run.path.resolve()

    def is_own(file: str) -> bool:
        """Whether it is a picture of this run: the report shall hold no other file of whoever makes it."""
        path = (whole / file).resolve()
        return path.is_relative_to(whole) and path.suffix == ".png" and path.is_file()

    pictures = added["pictures"] if added["step"] == run.step else {}
    return {name: (file, caption) for name, (file, caption) in pictures.items() if is_own(file)}


def _curves(run: Run, folder: pathlib.Path) -> dict[str, Picture]:
    entries = log.read(run.path / "metrics.jsonl")
    if not entries:
        return {}
    if "generator_gradient_norm" in entries[0]:
        return _game(entries, folder)
    validated = next((f"valid_{name}" for name in UNITS if any(f"valid_{name}" in entry for entry in entries)), "loss")
    names = ["loss"] if validated == "valid_accuracy" else sorted({"loss", validated})
    caption = "Training loss (mean over each compiled call) and validation metric over steps."
    return _save_curves(folder / "curves.png", entries, names, caption)


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
        drawn |= _save_curves(folder / f"{name}.png", log, metrics, f"{caption}, over steps.")
    return drawn


def _save_curves(file: pathlib.Path, entries: list[dict], names: Sequence[str], caption: str) -> dict[str, Picture]:
    """Draw the metrics that were logged, if any was."""
    logged = [name for name in names if any(name in entry for entry in entries)]
    if logged:
        charts.save_curves(file, entries, logged)
    return {file.stem.capitalize(): (file, caption)} if logged else {}


def _samples(run: Run, folder: pathlib.Path) -> dict[str, Picture]:
    if run.recipe.sample is None:
        return {}
    if run.dataset.spec.shape == (2,):
        return _points(run, folder)
    samples = runs.in_unit_interval(run, np.asarray(run.recipe.sample(run.keys[0].sample, run.models[0], 64)))
    if not images.save_examples(folder / "samples.png", samples):
        return {}
    return {"Samples": (folder / "samples.png", "64 samples from the model, not cherry-picked.")}


def _points(run: Run, folder: pathlib.Path) -> dict[str, Picture]:
    samples_per_seed = [
        draw_samples(run, model, keys.sample, 2500) for keys, model in zip(run.keys, run.models, strict=True)
    ]
    scatter.save_points(folder / "samples.png", run.dataset.test["x"], samples_per_seed)
    each = "" if len(samples_per_seed) == 1 else " of each seed"
    caption = f"2,500 samples from the model{each}, not cherry-picked, over test data in grey."
    return {"Samples": (folder / "samples.png", caption)}


def _reconstructions(run: Run, folder: pathlib.Path, test: Mapping[str, np.ndarray]) -> dict[str, Picture]:
    recipe, model, y = run.recipe, run.models[0], test.get("y")
    if recipe.encode is None or recipe.decode is None:
        return {}
    decoded = recipe.decode(model, recipe.encode(model, test["x"], y=y), y=y)
    x, reconstructed = (runs.in_unit_interval(run, x) for x in (test["x"], decoded))
    if not images.save_pairs(folder / "reconstructions.png", x, reconstructed):
        return {}
    caption = "Test examples as the model sees them, each with its reconstruction from the (mean) code below."
    return {"Reconstructions": (folder / "reconstructions.png", caption)}


def _latent_space(run: Run, folder: pathlib.Path, test: Mapping[str, np.ndarray]) -> dict[str, Picture]:
    recipe, y = run.recipe, test.get("y")
    if recipe.encode is None:
        return {}
    z = codes(run, test)
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
    scatter.save_codes(folder / "latent.png", project(z), y, name, prior, clouds)
    caption = f"Codes of {len(z)} test examples in {what}"
    caption += "" if prior is None else "; dashed: 1, 2 and 3 standard deviations of the prior"
    caption += "; black: draws from the posteriors of some examples" if clouds else ""
    drawn = {"Latent space": (folder / "latent.png", f"{caption}.")}
    if z.shape[1] != 2 or recipe.decode is None:
        return drawn
    axis = np.linspace(-3, 3, 20, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis[::-1]), axis=-1).reshape(-1, 2)
    decoded = recipe.decode(run.models[0], grid, y=None if y is None else np.repeat(y[:1], len(grid)))
    if images.save_examples(folder / "grid.png", runs.in_unit_interval(run, decoded), 20):
        drawn["Decoded grid"] = (folder / "grid.png", "Decodings of a 20 x 20 grid of codes over [-3, 3] x [-3, 3].")
    return drawn


def _plane(run: Run, folder: pathlib.Path, test: Mapping[str, np.ndarray]) -> dict[str, Picture]:
    """Decision boundaries and class densities, for data in the plane."""
    recipe, model, y = run.recipe, run.models[0], test.get("y")
    if recipe.classify is None or y is None or test["x"].shape[1:] != (2,):
        return {}
    classify, log_prob, key = recipe.classify, recipe.log_prob, run.keys[0].sample
    num_classes = classify(key, model, test["x"][:1]).shape[1]

    def densities(x: np.ndarray) -> np.ndarray:
        assert log_prob is not None
        per_class = [log_prob(key, model, x, y=np.full(len(x), label)) for label in range(num_classes)]
        return np.stack(per_class, axis=1)

    scatter.save_plane(
        folder / "plane.png",
        test["x"],
        y,
        lambda x: np.asarray(classify(key, model, x)),
        None if log_prob is None else densities,
    )
    ellipses = "" if log_prob is None else "; in colour: one and two standard deviations of each class density"
    return {"Plane": (folder / "plane.png", f"Test points, and in black the decision boundaries{ellipses}.")}


def _spread(examples: Mapping[str, np.ndarray], num: int) -> dict[str, np.ndarray]:
    """At most `num` examples, spread over the set."""
    rows = spread(len(examples["x"]), num)
    return {name: array[rows] for name, array in examples.items()}
