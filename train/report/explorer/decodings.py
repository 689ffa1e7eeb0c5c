"""The images that the explorer shows: decodings of a plane of codes, of walks between classes and along components."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import latent
from jaxgen.recipe import PyTree
from train import runs
from train.data import are_images, spread
from train.evaluation import code_density
from train.report import pictures
from train.runs import Run

_MOST_CODES = 1000
_MOST_CLASSES = 10
_MOST_VALUES = 3_000_000  # of the walks' pictures, three bytes or fewer each in the page
_COMPONENTS = 8
_FOLLOWED = 8  # codes that are decoded at each kept checkpoint
_PIXELS = 700  # on a side of the map's picture
ALPHAS = np.linspace(-0.5, 1.5, 21)
DEVIATIONS = np.linspace(-3, 3, 13)


class Plane(NamedTuple):
    """Decodings of a grid of codes in the plane of two components."""

    images: np.ndarray  # [N * N, H, W, C] in [0, 1], row by row; component 1 grows to the right, 2 upwards
    low: np.ndarray  # [2], the plane's edges
    high: np.ndarray
    points: np.ndarray  # [M, 2], codes of test examples
    y: np.ndarray | None  # [M], their classes
    is_projection: bool  # whether the codes have more than these two dimensions


class Decodings(NamedTuple):
    """All that the explorer shows."""

    plane: Plane
    classes: np.ndarray  # [K], those whose directions are shown
    walks: np.ndarray | None  # [P, A, H, W, C] from class a to b, for all a < b; None without classes
    components: np.ndarray  # [D, V, H, W, C]
    steps: list[int]  # those of the kept checkpoints
    training: np.ndarray  # [T, M, H, W, C], the same codes at each of these steps


def decode(run: Run) -> Decodings | None:
    """Decode what the explorer of the first seed's model shows; None for a model without a decoder of images.

    Codes are those of test examples, or draws from N(0, I) for a decoder without an encoder. A decoder that depends on
    the class is shown for the first one.
    """
    recipe = run.recipe
    if recipe.decode is None or not are_images(run.dataset.test["x"][:1]):
        return None
    z, y = _codes(run)
    if z is None:
        return None
    mean, scales, directions = _components(z)
    points = (z - mean) @ directions[:, :2]
    if points.shape[1] < 2:
        return None
    size = int(np.clip(_PIXELS // max(run.dataset.spec.shape[:2]), 8, 20))
    low, high = np.minimum(points.min(axis=0), -2 * scales[:2]), np.maximum(points.max(axis=0), 2 * scales[:2])
    across, up = np.linspace(low[0], high[0], size), np.linspace(high[1], low[1], size)
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    steps = mean + DEVIATIONS[None, :, None] * (scales[:_COMPONENTS, None, None] * directions.T[:_COMPONENTS, None])
    values = len(ALPHAS) * int(np.prod(run.dataset.spec.shape))
    fitting = max(k for k in range(2, _MOST_CLASSES + 1) if k == 2 or k * (k - 1) / 2 * values <= _MOST_VALUES)
    classes = np.unique(y)[:fitting] if y is not None and not recipe.conditional else np.zeros(0, int)
    walks = _walks(z, y, classes) if y is not None and len(classes) > 1 else np.zeros((0, len(ALPHAS), z.shape[1]))

    few, kept = z[spread(len(z), _FOLLOWED)], runs.first_models(run)

    parts = [mean + grid @ directions[:, :2].T, walks.reshape(-1, z.shape[1]), steps.reshape(-1, z.shape[1])]
    images = _decode(run, run.models[0], np.concatenate(parts))
    shown, walked, stepped = np.split(images, np.cumsum([len(part) for part in parts])[:-1])
    return Decodings(
        Plane(shown, low, high, points, y, is_projection=z.shape[1] > 2),
        classes,
        walked.reshape(*walks.shape[:2], *images.shape[1:]) if len(walks) else None,
        stepped.reshape(*steps.shape[:2], *images.shape[1:]),
        list(kept),
        np.stack([_decode(run, model, few) for model in kept.values()]),
    )


def _codes(run: Run) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Codes [M, Z], and classes where examples have them; (None, None) where the codes are no vectors."""
    if run.recipe.encode is None:
        size = run.record["values"].get("latent_dim")
        return (np.random.default_rng(0).normal(size=(_MOST_CODES, size)) if isinstance(size, int) else None), None
    test = pictures.prepare_test(run)
    rows = spread(len(test["x"]), _MOST_CODES)
    few = {name: array[rows] for name, array in test.items()}
    z = pictures.codes(run, few)
    return (z, few.get("y")) if z.ndim == 2 else (None, None)


def _components(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean [Z], standard deviations [D] and directions [Z, D] of the principal components; the axes of 2-D codes."""
    if z.shape[1] == 2:
        return np.zeros(2), z.std(axis=0), np.eye(2)
    mean = z.mean(axis=0)
    _, singular, directions = np.linalg.svd(z - mean, full_matrices=False)
    return mean, singular / np.sqrt(len(z)), directions.T


def _walks(z: np.ndarray, y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Codes on the line from class a's mean to b's, for all a < b: [P, A, Z]."""
    means = latent.class_centroids(jnp.asarray(z, jnp.float32), jnp.asarray(y), int(classes.max()) + 1)[classes]
    first, second = np.triu_indices(len(classes), k=1)
    walk = jax.vmap(lambda start, direction: latent.walk(start[None], direction, jnp.asarray(ALPHAS))[:, 0])
    return np.asarray(walk(means[first], means[second] - means[first]))


def _decode(run: Run, model: PyTree, z: np.ndarray) -> np.ndarray:
    y = np.zeros(len(z), np.int32) if run.recipe.conditional else None
    return np.clip(code_density.decode(run, model, z, y), 0, 1)
