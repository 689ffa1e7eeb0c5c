"""Inpaint a part of test images with an autoregressive model.

    python -m train inpaint RUN [--mask lower] [--completions 4] [--num 12] [--measured 1000]

--mask says what is hidden: the lower, upper or left half, half of the pixels at random, or those where the booleans
[H, W] of a file .npy are true. A model draws values in its order, most of them row by row, each given those before it.
Where all that is kept comes first, as above a lower part, it draws from p(hidden | kept) exactly. Elsewhere what is
kept behind a hidden pixel is not taken into account when that is drawn, which makes completions and nats approximate,
and the output says for how many pixels.

Writes figures/completions.png, completions.npz and results/inpaint.json into the run. Prints, with intervals,
-log p(hidden | kept) in nats and, for binary pixels, the share of hidden pixels that one completion of each image gets
wrong, beside two baselines: independent pixels, each 1 as often as in training, and the hidden part of the training
image nearest in the kept part. A completion is a random draw, and so is wrong up to twice as often as the best guess.
With several seeds the first seed's model is used.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import losses
from jaxgen.recipe import PyTree
from train import runs
from train.data import masks, spread
from train.engine import files
from train.engine.compile import over_examples, prepare_examples
from train.engine.validation import prepare_set
from train.errors import InputError
from train.evaluation import estimates, samples
from train.evaluation.estimates import Estimate
from train.experiment import Seed, Size
from train.report import added, html, results
from train.report.drawing import images
from train.runs import Run

_BATCH_SIZE = 500
_GREY = 0.5


@dataclasses.dataclass(kw_only=True)
class Options(runs.Reading):
    """Which run, and how much of each image to keep."""

    mask: str = "lower"
    """Part to hide: lower, upper, left, random, or FILE.npy with booleans [H, W]."""
    rows: Size | None = None
    """Upper rows to keep, with --mask lower; None: half of the image."""
    completions: Size = 4
    """Completions of each image in the picture."""
    num: Size = 12
    """Test images in the picture."""
    measured: Size = 1000
    """Test images to measure, spread over the set."""
    seed: Seed = 0
    """Seed of the completions."""


def check(options: Options, run: Run) -> np.ndarray:
    """Which pixels are kept, [H, W]; InputError, before anything is written, for what cannot be used."""
    shape = run.dataset.spec.shape
    if run.recipe.complete is None or run.recipe.log_prob is None or run.recipe.log_prob_is != "exact":
        raise InputError(f"{options.run} is of a family that does not complete; expected an autoregressive model")
    if len(shape) != 3:
        raise InputError(f"{options.run} is not of images; examples have shape {shape}")
    if options.mask != "lower" and options.rows is not None:
        raise InputError(f"--rows {options.rows}: expected --mask lower")
    return ~masks.hide(options.mask, shape[:2], rows=options.rows, seed=options.seed)


def count_unseen(kept: np.ndarray, shape: tuple[int, ...], order: Sequence[int] | None) -> int:
    """How many kept pixels [H, W] come after a hidden one in the order in which a model draws values."""
    values = np.broadcast_to(kept[..., None], shape).ravel()
    values = values if order is None else values[np.asarray(order)]
    first_hidden = int(np.argmin(values))
    return int(values[first_hidden:].sum()) // shape[2]


def complete(run: Run, key: jax.Array, examples: Mapping[str, np.ndarray], mask: np.ndarray) -> np.ndarray:
    """One completion of each prepared example, keeping x where the mask [1, H, W, C] is true: [N, H, W, C]."""
    function = run.recipe.complete
    assert function is not None

    def on_batch(key: jax.Array, model: PyTree, batch: dict) -> jax.Array:
        return function(key, model, batch["x"], mask, y=batch.get("y"))

    return over_examples(on_batch, batch_size=_BATCH_SIZE)(key, run.models[0], examples)


def hidden_nll(run: Run, examples: Mapping[str, np.ndarray], mask: np.ndarray) -> np.ndarray:
    """-log p(hidden | kept) of each prepared example, given y if the model is conditional: nats [N]."""
    log_prob = run.recipe.log_prob
    assert log_prob is not None

    def on_batch(key: jax.Array, model: PyTree, batch: dict) -> jax.Array:
        return -log_prob(key, model, batch["x"], y=batch.get("y"), mask=~mask)

    return over_examples(on_batch, batch_size=_BATCH_SIZE)(run.keys[0].validate, run.models[0], examples)


def independent_nll(hidden: np.ndarray, training: np.ndarray) -> np.ndarray:
    """-log p of binary hidden pixels under independence, with the training frequencies: [N, D], [M, D] -> nats [N].

    Frequencies are (ones + 1) / (M + 2), Laplace's rule of succession, so that every likelihood is finite.
    """
    ones, num = training.sum(axis=0, dtype=np.float64), len(training)
    logits = np.log(ones + 1) - np.log(num - ones + 1)
    return np.asarray(losses.bernoulli_nll(jnp.broadcast_to(jnp.float32(logits), hidden.shape), jnp.asarray(hidden)))


def measure(run: Run, key: jax.Array, examples: Mapping[str, np.ndarray], mask: np.ndarray) -> dict[str, np.ndarray]:
    """All metrics of each prepared example, by name: [N] each."""
    found = {"hidden_nll": hidden_nll(run, examples, mask)}
    x = examples["x"]
    if run.recipe.levels != 2 or not np.isin(x, (0, 1)).all():
        return found
    training = prepare_examples(run.prepare, run.keys[0].compare, {"x": run.dataset.train["x"]})["x"]
    kept_pixels = mask[0, :, :, 0]
    kept, kept_training = (images[:, kept_pixels].reshape(len(images), -1) for images in (x, training))
    hidden, hidden_training, drawn = (
        images[:, ~kept_pixels].reshape(len(images), -1) for images in (x, training, complete(run, key, examples, mask))
    )
    copied = hidden_training[samples.nearest(kept, kept_training)]
    return found | {
        "hidden_nll_of_independent_pixels": independent_nll(hidden, hidden_training),
        "wrong": (drawn != hidden).mean(axis=1),
        "wrong_of_nearest_training_image": (copied != hidden).mean(axis=1),
    }


def describe(options: Options, kept: np.ndarray) -> str:
    """The hidden part, in words."""
    if options.mask == "lower":
        return f"the part below the {int(kept[:, 0].sum())} kept rows"
    return {"upper": "the upper half", "left": "the left half", "random": "a random half of the pixels"}.get(
        options.mask, f"the {np.count_nonzero(~kept)} hidden pixels"
    )


def estimate(measured: Mapping[str, np.ndarray], hidden: str, unseen: int) -> dict[str, Estimate]:
    """Means with bootstrap intervals, by name."""
    units = {name: f"nats, {hidden}" if "nll" in name else f"of 1, pixels of {hidden}" for name in measured}
    if unseen:
        units["hidden_nll"] += f", each value given those before it and not the {unseen} kept pixels behind"
    return {name: estimates.estimate(units[name], [values]) for name, values in measured.items()}


def draw_completions(
    run: Run, key: jax.Array, test: Mapping[str, np.ndarray], mask: np.ndarray, options: Options
) -> dict[str, Any]:
    """Images of the picture: test rows [R], originals x [R, H, W, C], completions [R, completions, H, W, C]."""
    chosen = spread(len(test["x"]), options.num)
    repeated = {name: np.repeat(array[chosen], options.completions, axis=0) for name, array in test.items()}
    x = test["x"][chosen]
    drawn = complete(run, key, repeated, mask).reshape(len(x), options.completions, *x.shape[1:])
    return {"rows": chosen, "x": x, "completions": drawn}


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = runs.bind(Options, arguments, prog="python -m train inpaint", description=__doc__)
    run = runs.open_run(options)
    kept = check(options, run)
    mask, hidden = kept[None, :, :, None], describe(options, kept)
    unseen = count_unseen(kept, run.dataset.spec.shape, run.recipe.order)
    # The examples of the evaluation, with the same noise.
    test = prepare_set(run.keys[0].evaluate, run.prepare, run.dataset.test).prepared
    key_picture, key_measured = jax.random.split(jax.random.fold_in(run.keys[0].sample, options.seed))
    drawn = draw_completions(run, key_picture, test, mask, options)
    measured_rows = spread(len(test["x"]), options.measured)
    examples = {name: array[measured_rows] for name, array in test.items()}
    measured = measure(run, key_measured, examples, mask)
    found = estimate(measured, hidden, unseen)
    lines = [estimates.line(name, each) for name, each in found.items()]
    if unseen:
        lines.append(
            f"approximate: {unseen} of {np.count_nonzero(kept)} kept pixels come after hidden ones in the model's "
            "order, and hidden ones before them are drawn without them"
        )

    picture, numbers = added.place(run, "completions"), run.path / "completions.npz"
    files.write_arrays(numbers, {"kept": kept, "measured_rows": measured_rows} | drawn | measured)
    shown = np.where(mask, runs.in_unit_interval(run, drawn["x"]), _GREY)[:, None]
    panels = runs.in_unit_interval(run, np.concatenate([drawn["completions"], drawn["x"][:, None]], axis=1))
    panels = np.concatenate([shown, panels], axis=1)
    written = [numbers]
    if images.save_examples(picture, panels.reshape(-1, *panels.shape[2:]), panels.shape[1]):
        caption = f"Test images without {hidden}, {options.completions} completions of each, and the original."
        written = [picture, numbers, *html.add(run, "Completions", picture, " ".join([caption, *lines]))]
    print(*written, results.write(run, "inpaint", options, found), *lines, sep="\n")
