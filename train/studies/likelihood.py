"""Likelihood as a function of the parameters: of a Normal and of a triangle; densities, products and sums of logs.

    python -m train study likelihood [--num 50] [--seed 0] [--out runs/likelihood]

For points y_1 .. y_N and parameters theta:

1. The likelihood is prod_i p(y_i | theta), a function of theta. For a Normal it is largest at the mean of the points
   and their standard deviation with the divisor N; for points uniform in a triangle, whose parameters are its three
   vertices, at the smallest triangle that encloses them.
2. p(y | theta) is a density: it may exceed 1, and only its integral over y is a probability. The integral over theta is
   anything: of a Normal's likelihood of one point, over the mean, it is 1 for every standard deviation.
3. The product of densities underflows after some hundred points, the sum of their logarithms does not, and both are
   largest at the same theta.
4. The largest of the densities, in place of their product, is no criterion: it grows without bound as the standard
   deviation shrinks around any one point.
"""

import dataclasses
import datetime
import itertools
from typing import NamedTuple

import jax
import numpy as np

from train import runs
from train.engine import files, run_directory
from train.engine.record import provenance
from train.experiment import Seed, Size
from train.report.drawing import surfaces

Values = np.ndarray | float
MEAN, STD = 1.0, 2.0  # of the article's example, in which y is 0.5
POINT = 0.5
VERTICES = np.array([[0.0, 0.0], [1.0, 0.1], [0.3, 0.9]])
_PRODUCT_OF = 2000


class Surface(NamedTuple):
    """Log-likelihoods in nats on a grid of two parameters."""

    x: np.ndarray  # [X]
    y: np.ndarray  # [Y]
    nats: np.ndarray  # [Y, X]

    def argmax(self) -> tuple[float, float]:
        """Where on the grid it is largest, (x, y)."""
        row, column = np.unravel_index(np.argmax(self.nats), self.nats.shape)
        return float(self.x[column]), float(self.y[row])


@dataclasses.dataclass(kw_only=True)
class Options:
    """Points, their seed, and destination."""

    num: Size = 50
    """Points of each sample."""
    seed: Seed = 0
    """Seed of the points."""
    out: str = "runs/likelihood"
    """Directory of the results and the plot."""


def normal_log_density(y: Values, mean: Values, std: Values) -> np.ndarray:
    """log N(y; mean, std^2) in nats, of arrays that broadcast."""
    return -0.5 * np.square((y - mean) / std) - np.log(std) - 0.5 * np.log(2 * np.pi)


def triangle_area(vertices: np.ndarray) -> np.ndarray:
    """Areas of triangles [..., 3, 2], positive where the vertices are counter-clockwise: [...]."""
    first, second = (vertices[..., corner, :] - vertices[..., 0, :] for corner in (1, 2))
    return 0.5 * (first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0])


def triangle_log_likelihood(points: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Log-likelihood of triangles [..., 3, 2], given points [N, 2] uniform in them, in nats: [...].

    The density is 1 / area inside and 0 outside, so this is -N log(area), or -inf if a point is outside.
    """
    whole = triangle_area(vertices)[..., None]
    inside = np.ones((*vertices.shape[:-2], len(points)), bool)
    for corner in range(3):
        parts = np.broadcast_to(vertices[..., None, :, :], (*inside.shape, 3, 2)).copy()
        parts[..., corner, :] = points
        # A point on the edge, but for rounding, is inside.
        inside &= triangle_area(parts) * np.sign(whole) >= -1e-9 * np.abs(whole)
    with np.errstate(divide="ignore"):
        return np.where(inside.all(axis=-1), -len(points) * np.log(np.abs(whole[..., 0])), -np.inf)


def smallest_triangle(points: np.ndarray) -> np.ndarray:
    """Vertices of the smallest triangle that encloses the points [N, 2], counter-clockwise: [3, 2].

    Its sides touch the points, so it is known by their three normals: the best of a grid of angles, refined.
    """

    def heights(angles: np.ndarray) -> np.ndarray:
        return np.max(points @ np.stack([np.cos(angles), np.sin(angles)]).reshape(2, -1), axis=0).reshape(angles.shape)

    def area(angles: np.ndarray) -> np.ndarray:
        """Of the triangle whose sides have these normals, [T, 3] ascending; infinite where they do not enclose."""
        sines = np.sin(np.roll(angles, -1, axis=1) - angles)  # of the turns from 1 to 2, 2 to 3, 3 to 1
        opposite = np.roll(sines, -1, axis=1)  # sin(3 - 2) belongs to side 1
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.sum(heights(angles) * opposite, axis=1) ** 2 / (2 * np.prod(sines, axis=1))
        return np.where((sines > 1e-6).all(axis=1), found, np.inf)

    step = np.pi / 30
    chosen = step * np.array(list(itertools.combinations(range(60), 3)))
    best = chosen[np.argmin(area(chosen))]
    offsets = np.array(list(itertools.product(np.linspace(-1, 1, 7), repeat=3)))
    for _ in range(20):
        chosen = best + step * offsets
        best, step = chosen[np.argmin(area(chosen))], step / 2
    normals, at = np.stack([np.cos(best), np.sin(best)], axis=1), heights(best)
    return np.stack([np.linalg.solve(normals[[i, i - 2]], at[[i, i - 2]]) for i in range(3)])


def underflow(log_density: np.ndarray, dtype: type) -> int:
    """After how many points [N] the product of their densities is 0 in floating point; N + 1 if it never is."""
    zeros = np.cumprod(np.exp(log_density).astype(dtype), dtype=dtype) == 0
    return int(np.argmax(zeros)) + 1 if zeros.any() else len(zeros) + 1


def of_normal(random: np.random.Generator, num: int) -> tuple[Surface, Surface, dict]:
    """The likelihood of mean and std given draws, their largest density in its place, and what is found."""
    y = random.normal(MEAN, STD, num)
    means, stds = np.linspace(MEAN - 2, MEAN + 2, 401), np.linspace(0.5, 4.5, 401)
    each = normal_log_density(y[:, None], means, stds[:, None, None])  # [S, N, M]
    surface, largest = (Surface(means, stds, nats) for nats in (each.sum(axis=1), each.max(axis=1)))
    many = normal_log_density(random.normal(MEAN, STD, _PRODUCT_OF), MEAN, STD)
    over_means = np.exp(normal_log_density(POINT, np.linspace(-60, 60, 120_001), np.array([[1.0], [STD], [4.0]])))
    found = {
        "mean": float(y.mean()),
        "std": float(y.std()),
        "log_likelihood": float(normal_log_density(y, y.mean(), y.std()).sum()),
        "grid_argmax": surface.argmax(),
        "grid_argmax_of_largest_density": largest.argmax(),
        "true": [MEAN, STD],
        "log_likelihood_of_true": float(normal_log_density(y, MEAN, STD).sum()),
        "density_at_half": float(np.exp(normal_log_density(POINT, MEAN, STD))),
        "density_at_mean": {str(std): float(np.exp(normal_log_density(MEAN, MEAN, std))) for std in (2.0, 0.1, 0.01)},
        "integral_over_mean": {std: float(0.001 * each.sum()) for std, each in zip((1, 2, 4), over_means, strict=True)},
        "product_is_zero_after": {name.__name__: underflow(many, name) for name in (np.float32, np.float64)},
        "sum_of_logs": float(many.sum()),
        "summed": _PRODUCT_OF,
    }
    return surface, largest, found


def of_triangle(random: np.random.Generator, num: int) -> tuple[np.ndarray, Surface, np.ndarray, dict]:
    """Points [N, 2], the likelihood of the third vertex given the others, the best triangle, and what is found."""
    points = random.dirichlet(np.ones(3), num) @ VERTICES
    x, y = np.linspace(-0.2, 0.8, 201), np.linspace(0.6, 1.6, 201)
    third = np.stack(np.meshgrid(x, y), axis=-1)
    vertices = np.stack(np.broadcast_arrays(VERTICES[0], VERTICES[1], third), axis=-2)
    surface = Surface(x, y, triangle_log_likelihood(points, vertices))
    best = smallest_triangle(points)
    found = {
        "true": VERTICES.tolist(),
        "area_of_true": float(triangle_area(VERTICES)),
        "log_likelihood_of_true": float(triangle_log_likelihood(points, VERTICES)),
        "third_vertex_argmax": surface.argmax(),
        "log_likelihood_of_third_vertex": float(surface.nats.max()),
        "share_of_third_vertices_that_enclose": float(np.isfinite(surface.nats).mean()),
        "smallest": best.tolist(),
        "area_of_smallest": float(triangle_area(best)),
        "log_likelihood": float(triangle_log_likelihood(points, best)),
    }
    return points, surface, best, found


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = runs.bind(Options, arguments, prog="python -m train study likelihood", description=__doc__)
    out = run_directory.make_directory("--out", options.out)
    random = np.random.default_rng(options.seed)
    surface, largest, normal = of_normal(random, options.num)
    points, third, best, triangle = of_triangle(random, options.num)
    result = {
        "values": {"num": options.num, "seed": options.seed},
        "normal": normal,
        "triangle": triangle,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "provenance": provenance.origin(["study", "likelihood", *arguments], jax.local_devices()),
    }
    files.write_json(out / "likelihood.json", result)
    picture = out / "likelihood.png"
    estimate = (normal["mean"], normal["std"])
    surfaces.save_likelihood(picture, surface, largest, estimate, points, third, best, VERTICES)
    for family, found in (("normal", normal), ("triangle", triangle)):
        print(*(f"{family} {name}: {value}" for name, value in found.items()), sep="\n")
    print(picture)
