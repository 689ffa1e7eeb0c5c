"""Sample from a trained run, as a picture and as arrays.

    python -m train sample RUN [--num 64] [--y 3] [--prior gmm]
    python -m train sample RUN --given test [--num 64] [--each 4] [--measured 1000]

Of a run that is conditioned on something made of x, such as a smaller picture, --given test shows samples given that
of test examples. It writes figures/given.png, given.npz and results/sample.json into the run, and prints, with
intervals, the mean squared error per value of a sample and of the mean of all samples of a condition, beside baselines:
bicubic interpolation, the mean of each value in training, and the training image whose condition is nearest. Then that
of the condition made of a sample, and -log p(x | y) in nats. With several seeds the first seed's model is used.
"""

import dataclasses
import pathlib
from typing import Literal

import jax
import numpy as np

from train import runs
from train.data import are_images, spread
from train.engine import files
from train.engine.validation import prepare_set
from train.errors import InputError
from train.evaluation import code_density, estimates, samples
from train.experiment import Count, Seed, Size
from train.report import added, html, results
from train.report.drawing import images
from train.runs import Run


@dataclasses.dataclass(kw_only=True)
class Options(runs.Reading):
    """Which run, how many samples, and from which prior or classes."""

    num: Size = 64
    """Number of samples."""
    seed: Seed = 0
    """Seed of the samples."""
    prior: Literal["normal", "gaussian", "gmm"] = "normal"
    """Distribution of the latent codes: the model's prior, or a Gaussian or a 10-component Gaussian mixture fitted to
    the training codes."""
    y: tuple[Count, ...] = ()
    """Classes to sample from a conditional model, in equal shares and in this order; none: training frequencies."""
    given: Literal["test"] | None = None
    """Conditions made of x of which samples are drawn, beside their examples: those of the test set."""
    each: Size = 4
    """Samples of each condition, with --given."""
    measured: Size = 1000
    """Test examples to measure, spread over the set, with --given."""


def choose_classes(options: Options, run: Run) -> np.ndarray:
    """Classes of the samples in equal shares, up to one: [num]; InputError for a class that the data does not have."""
    num_classes = run.dataset.spec.num_classes or 0
    for y in options.y:
        if y >= num_classes:
            raise InputError(f"--y {y}: expected classes of the data, which has {num_classes}")
    if options.num < len(options.y):
        raise InputError(f"--num {options.num}: expected at least one sample of each of the {len(options.y)} classes")
    if options.y and (not run.recipe.conditional or run.prepare.condition is not None):
        raise InputError(f"--y {options.y[0]}: expected a run whose model is conditional on a class")
    shares = np.arange(options.num) * len(options.y) // options.num
    return np.array(options.y, np.int32)[shares] if options.y else np.zeros(0, np.int32)


def draw(run: Run, options: Options) -> np.ndarray:
    """Draw samples [num, ...], images in [0, 1]."""
    key = jax.random.fold_in(run.keys[0].sample, options.seed)
    y = choose_classes(options, run)
    if options.prior == "normal":
        if run.recipe.sample is None:
            instead = "" if run.recipe.decode is None else "; expected --prior gaussian or gmm"
            raise InputError(f"{options.run} is of a family that cannot sample{instead}")
        x = run.recipe.sample(
            key, run.models[0], options.num, y=y if options.y else samples.conditions(run, options.num)
        )
        return runs.in_unit_interval(run, np.asarray(x))
    if run.recipe.encode is None or run.recipe.decode is None:
        raise InputError(f"--prior {options.prior}: expected a run of a family that encodes and decodes")
    code_density.check_vectors(run)
    codes = code_density.encode_training_data(run, run.models[0], key)
    z, labels = code_density.fit(options.prior, codes)(options.num, options.seed)
    return code_density.decode(run, run.models[0], z, y if options.y else labels)


def check_given(options: Options, run: Run) -> None:
    """InputError for a run or options that --given test cannot use, before anything is written."""
    if run.prepare.condition is None or run.recipe.sample is None:
        raise InputError("--given test: expected a run that is conditioned on something made of x, and samples")
    if options.y or options.prior != "normal":
        raise InputError("--given test: expected neither --y nor --prior")
    x = run.dataset.test["x"][:1]
    y = samples.conditions(run, 1)
    if y is None or not (are_images(x) and are_images(y) and y.shape[-1] in (1, x.shape[-1])):
        raise InputError("--given test: expected a run of images that is conditioned on an image")
    if options.num < options.each:
        raise InputError(f"--num {options.num}: expected at least the {options.each} samples of a condition")


def given_test(run: Run, options: Options) -> list[pathlib.Path | str]:
    """Draw samples given the conditions of test examples, and measure them: the files written, and lines to print."""
    check_given(options, run)
    test = prepare_set(run.keys[0].evaluate, run.prepare, run.dataset.test).prepared
    key_picture, key_measured = jax.random.split(jax.random.fold_in(run.keys[0].sample, options.seed))
    shown, measured_rows = (spread(len(test["x"]), num) for num in (options.num // options.each, options.measured))
    examples = {name: array[shown] for name, array in test.items()}
    drawn = samples.draw_given(run, key_picture, examples, options.each)
    measured = samples.measure_given(
        run, key_measured, {name: test[name][measured_rows] for name in test}, options.each
    )
    found = {
        name: estimates.estimate("nats" if name == "nll" else "squared units of [0, 1] per value", [values])
        for name, values in measured.items()
    }
    lines = [estimates.line(name, each) for name, each in found.items()]

    picture, numbers = added.place(run, "given"), run.path / "given.npz"
    arrays = {"rows": shown, "y": examples["y"], "x": examples["x"], "samples": drawn}
    files.write_arrays(numbers, {**arrays, "measured_rows": measured_rows, **measured})
    panels = _panels(examples["y"], drawn, runs.in_unit_interval(run, examples["x"]))
    images.save_examples(picture, panels.reshape(-1, *panels.shape[2:]), panels.shape[1])
    caption = f"Conditions of test images, their bicubic interpolation, {options.each} samples of each, and the image."
    reports = html.add(run, "Samples given test images", picture, " ".join([caption, *lines]))
    return [picture, numbers, *reports, results.write(run, "sample", options, found), *lines]


def _panels(y: np.ndarray, drawn: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Rows of images: y with its pixels enlarged, interpolated, samples, x: -> [N, 3 + each, H, W, C]."""
    enlarged = y
    for axis in (1, 2):
        enlarged = np.repeat(enlarged, x.shape[axis] // y.shape[axis], axis=axis)
    first = np.stack([np.broadcast_to(enlarged, x.shape), samples.enlarge(y, x.shape[1:])], axis=1)
    return np.concatenate([first, drawn, x[:, None]], axis=1)


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = runs.bind(Options, arguments, prog="python -m train sample", description=__doc__)
    run = runs.open_run(options)
    if options.given is not None:
        print(*given_test(run, options), sep="\n")
        return
    x = draw(run, options)
    picture, numbers = run.path / "samples.png", run.path / "samples.npz"
    drawn = images.save_examples(picture, x)
    files.write_arrays(numbers, {"x": x})
    print(*([picture] if drawn else []), numbers, sep="\n")
