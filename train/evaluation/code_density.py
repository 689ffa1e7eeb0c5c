"""Densities fitted to training codes, which turn any encoder-decoder model into a generative one."""

from collections.abc import Callable

import jax
import numpy as np

from jaxgen.recipe import PyTree
from train import runs
from train.data import spread
from train.engine.compile import over_examples, prepare_examples
from train.errors import InputError
from train.runs import Run

COMPONENTS = {"gaussian": 1, "gmm": 10}  # Ghosh et al. 2020, section 4
_MOST = 10_000  # training examples to fit
_BATCH_SIZE = 500

Codes = tuple[np.ndarray, np.ndarray | None]  # z [N, Z], y [N] where the data has labels


def check_vectors(run: Run) -> None:
    """InputError where the codes are no vectors."""
    encode, test = run.recipe.encode, run.dataset.test
    assert encode is not None
    few = prepare_examples(run.prepare, jax.random.key(0), {name: array[:2] for name, array in test.items()})
    z = jax.eval_shape(lambda batch: encode(run.models[0], batch["x"], y=batch.get("y")), few)
    if z.ndim != 2:
        raise InputError(f"{run.path}: expected a run whose codes are vectors, not of shape {z.shape[1:]}")


def encode(run: Run, model: PyTree, key: jax.Array, x: np.ndarray, y: np.ndarray | None) -> np.ndarray:
    """Posterior means of stored examples or images in [0, 1], prepared under `key`: [N, ...] -> [N, Z]."""
    assert run.recipe.encode is not None
    mean = run.recipe.encode
    return _encode_prepared(run, lambda key, model, batch: mean(model, batch["x"], y=batch.get("y")), model, key, x, y)


def draw_codes(run: Run, model: PyTree, key: jax.Array, x: np.ndarray, y: np.ndarray | None) -> np.ndarray:
    """Draws from q(z | x), or the codes of a deterministic encoder, of stored examples: [N, ...] -> [N, Z]."""
    draw = run.recipe.draw_code
    if draw is None:
        return encode(run, model, key, x, y)
    return _encode_prepared(
        run, lambda key, model, batch: draw(key, model, batch["x"], y=batch.get("y")), model, key, x, y
    )


def decode(run: Run, model: PyTree, z: np.ndarray, y: np.ndarray | None) -> np.ndarray:
    """Decode codes, images in [0, 1]: [N, Z] -> [N, ...]."""
    assert run.recipe.decode is not None
    mean = run.recipe.decode
    given = {"x": np.asarray(z, np.float32)} | ({} if y is None else {"y": y})
    on_batch = over_examples(lambda _, model, batch: mean(model, batch["x"], y=batch.get("y")), batch_size=_BATCH_SIZE)
    return runs.in_unit_interval(run, on_batch(jax.random.key(0), model, given))


def encode_training_data(run: Run, model: PyTree, key: jax.Array) -> Codes:
    """Codes and labels of at most 10,000 training examples, spread over the set."""
    rows = spread(len(run.dataset.train["x"]), _MOST)
    y = run.dataset.train["y"][rows] if "y" in run.dataset.train else None
    return encode(run, model, key, run.dataset.train["x"][rows], y), y


def fit(kind: str, codes: Codes) -> Callable[[int, int], Codes]:
    """Fit a Gaussian or a 10-component mixture with full covariances; returns (num, seed) -> draws of codes and labels.

    Labels are drawn with their frequencies, independently of the codes, as in a conditional model.
    """
    from sklearn.mixture import GaussianMixture

    z, y = codes[0].astype(np.float64), codes[1]
    mixture = GaussianMixture(min(COMPONENTS[kind], len(z)), reg_covar=1e-6, random_state=0).fit(z)

    def draw(num: int, seed: int) -> Codes:
        random = np.random.default_rng(seed)
        mixture.random_state = seed
        drawn = mixture.sample(num)[0][random.permutation(num)]  # scikit-learn sorts them by component
        return drawn.astype(np.float32), None if y is None else random.choice(y, num)

    return draw


def _encode_prepared(
    run: Run, function: Callable, model: PyTree, key: jax.Array, x: np.ndarray, y: np.ndarray | None
) -> np.ndarray:
    key_prepare, key_code = jax.random.split(key)
    prepared = prepare_examples(run.prepare, key_prepare, {"x": x} | ({} if y is None else {"y": y}))
    return over_examples(function, batch_size=_BATCH_SIZE)(key_code, model, prepared)
