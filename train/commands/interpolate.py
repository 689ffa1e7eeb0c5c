"""Interpolate and walk in the latent space of a trained run.

    python -m train interpolate RUN
    python -m train interpolate RUN --source 6 --target 0 --start 7 --center median --alphas -5 5 20

Without a direction, draw every pair of classes (a, b) on one canvas: z_b + alpha (z_a - z_b), from b at alpha 0 to a
at 1. With a direction, draw the walk start + alpha (target - source), and write the class probabilities along it to
results/interpolate.json of the run. Class centers are computed on the test set.
"""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import latent
from train import config as configs
from train import runs
from train.data import are_images
from train.engine import files
from train.engine.validation import Examples, prepare_set
from train.errors import InputError
from train.evaluation import code_density
from train.evaluation.walks import Options, check_options, plan_walk
from train.report import html, pictures, results
from train.report.drawing import images
from train.run import train_beside
from train.runs import Run


def pairs(run: Run, z: np.ndarray, y: np.ndarray | None, alphas: jax.Array) -> tuple[str, dict]:
    """Interpolate every pair of classes, decoded in one compiled call: (name of the files, arrays)."""
    if y is None:
        raise InputError(f"{run.path}: this data has no labels; expected --source-rows and --target-rows, for a walk")
    centroids = latent.class_centroids(jnp.asarray(z), jnp.asarray(y), int(run.dataset.spec.num_classes or 0))
    classes = np.unique(y)
    if len(classes) < 2:
        raise InputError(f"{run.path}: expected test examples of at least 2 classes, found only class {classes[0]}")
    directions = latent.pairwise_directions(centroids[classes])
    first, second = (classes[pair] for pair in np.triu_indices(len(classes), k=1))
    walks = jax.vmap(lambda z, direction: latent.walk(z[None], direction, alphas)[:, 0])(centroids[second], directions)
    x = decode(run, walks.reshape(-1, walks.shape[-1]), np.repeat(second, len(alphas)))
    x = x.reshape(*walks.shape[:2], *x.shape[1:])
    return "pairs", {"centroids": centroids, "first": first, "second": second, "z": walks, "x": x}


def decode(run: Run, z: jax.Array, y: np.ndarray | None) -> np.ndarray:
    """Decode all codes in one compiled call, images in [0, 1]: [N, Z] -> x [N, ...]."""
    assert run.recipe.decode is not None
    try:
        return runs.in_unit_interval(run, jax.jit(run.recipe.decode)(run.models[0], z, y=y))
    except ValueError as error:  # a decoder that is conditional on a class, and a walk from rows that have none
        raise InputError(f"{run.path}: {error}; expected --start or --example, which have a class") from error


def open_classifier(options: Options, run: Run) -> Run | None:
    """The classifier for a walk, trained now if none is given; None where the data has no labels."""
    if options.classifier is not None:
        classifier = runs.load_beside(
            "--classifier", options.classifier, options.data_dir, run.dataset.spec.shape,
            trust=options.trust, dataset=run.dataset,
        )  # fmt: skip
        if classifier.recipe.classify is None or classifier.dataset.fingerprint != run.dataset.fingerprint:
            raise InputError(f"--classifier {options.classifier}: expected a classifier of the data of {run.path}")
        return classifier
    if run.dataset.spec.num_classes is None:
        return None
    config = configs.load(str(configs.ROOT / "configs" / "logistic_regression_mnist.py"))
    return train_beside(run, config, run.path / "classifier", run.experiment.data)


def save(run: Run, name: str, arrays: dict, alphas: jax.Array, caption: str) -> list[pathlib.Path]:
    """Write the picture and the arrays, and update the report if there is one; returns the files."""
    folder = run.path / "figures"
    folder.mkdir(exist_ok=True)
    picture, numbers = folder / f"interpolate_{name}.png", folder / f"interpolate_{name}.npz"
    files.write_arrays(numbers, {"alphas": np.asarray(alphas), **arrays})
    written = [numbers]
    x = arrays["x"]
    if are_images(x.reshape(-1, *x.shape[-3:])):
        if name == "pairs":
            rows = [f"{b} to {a}" for a, b in zip(arrays["first"], arrays["second"], strict=True)]
            images.save_rows(picture, x, rows, np.asarray(alphas))
        else:
            images.save_walk(picture, x, np.asarray(alphas), arrays.get("probabilities"))
        title = f"Interpolation: {name.replace('_', ' ')}"
        written = [picture, numbers, *html.add(run, title, picture, caption)]
    return written


def interpolate(options: Options, run: Run) -> list[pathlib.Path]:
    """Walk, decode, classify and write; returns the files."""
    is_walk = check_options(options)
    if run.recipe.encode is None or run.recipe.decode is None:
        raise InputError(f"{options.run} is of a family without a latent space; expected one with encode and decode")
    code_density.check_vectors(run)
    test: Examples = prepare_set(run.keys[0].evaluate, run.prepare, run.dataset.test)
    z, y = pictures.codes(run, test.prepared), test.prepared.get("y")
    alphas = jnp.linspace(*(options.alphas or ((-3.0, 3.0, 20) if is_walk else (0.0, 1.0, 20))))
    if not is_walk:
        name, arrays = pairs(run, z, y, alphas)
        caption = (
            "Interpolations between the mean codes of every pair of classes, one at alpha 0, the other at alpha 1."
        )
        return save(run, name, arrays, alphas, caption)
    walk = plan_walk(options, z, y)
    path = latent.walk(walk.start[None], walk.direction, alphas)[:, 0]
    arrays = {"z": path, "x": decode(run, path, None if walk.y is None else np.full(len(path), walk.y))}
    classifier = open_classifier(options, run)
    caption, numbers = f"{walk.title}: start + alpha (target - source)", []
    if classifier is not None:
        assert classifier.recipe.classify is not None
        log_probabilities = classifier.recipe.classify(classifier.keys[0].sample, classifier.models[0], arrays["x"])
        arrays["probabilities"] = np.exp(log_probabilities)
        caption += f", with the class probabilities of {classifier.record['config']}"
        found = {"walk": walk.title, "alphas": np.asarray(alphas), "probabilities": arrays["probabilities"]}
        numbers = [results.write(run, "interpolate", options, found)]
    return [*save(run, walk.name, arrays, alphas, caption + "."), *numbers]


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = runs.bind(Options, arguments, prog="python -m train interpolate", description=__doc__)
    print(*interpolate(options, runs.open_run(options)), sep="\n")
