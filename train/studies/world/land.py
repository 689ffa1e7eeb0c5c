"""Points on the unit sphere, and which of them lie on land.

A point is a unit vector. The plane of the maps and of the models is (longitude / 2, sine of latitude), longitude in
radians: a cylindrical projection in which equal areas of the sphere are equal areas (Lambert 1772), scaled so that both
coordinates have about the same range. Points beyond its edges at the poles are no points of the sphere: NaN.
"""

import functools
import pathlib

import numpy as np

Array = np.ndarray
FILE = pathlib.Path(__file__).with_name("land.npz")  # made by make_land.py
#: Nats from a density on the plane to one on the sphere, per steradian.
LOG_AREA = -float(np.log(2))
_CELLS = 20, 60  # rows of equal sines of latitude, columns of equal longitudes
_POINTS_OF_CELL = 12  # along each side


@functools.cache
def mask() -> Array:
    """Whether each cell of half a degree is land, [360, 720] from the north pole and longitude -180."""
    return np.unpackbits(np.load(FILE)["bits"], axis=1).astype(bool)


def grid() -> tuple[Array, Array]:
    """The centres of the cells in the plane: longitudes / 2 [720], sines of latitudes [360]."""
    return np.radians(np.arange(-179.75, 180, 0.5)) / 2, np.sin(np.radians(np.arange(89.75, -90, -0.5)))


def share_of_land() -> float:
    """The share of the sphere that is land."""
    edges = np.sin(np.radians(np.linspace(90, -90, len(mask()) + 1)))
    return float(np.average(mask().mean(axis=1), weights=edges[:-1] - edges[1:]))


def to_plane(points: Array) -> Array:
    """Unit vectors [N, 3] in the plane: [N, 2]."""
    return np.stack([0.5 * np.arctan2(points[:, 1], points[:, 0]), points[:, 2]], axis=1)


def to_sphere(plane: Array) -> Array:
    """Points of the plane [N, 2] as unit vectors, NaN beyond the poles: [N, 3]. The longitude goes round."""
    longitude, sine = 2 * plane[:, 0].astype(np.float64), plane[:, 1].astype(np.float64)
    sine = np.where(np.abs(sine) <= 1, sine, np.nan)
    cosine = np.sqrt(1 - np.square(sine))
    return np.stack([cosine * np.cos(longitude), cosine * np.sin(longitude), sine], axis=1)


def is_land(points: Array) -> Array:
    """Whether unit vectors [N, 3] are on land, false for NaN: booleans [N]."""
    there = np.isfinite(points).all(axis=1)
    x, y, z = np.where(there[:, None], points, 0).T
    row = np.clip((90 - np.degrees(np.arcsin(np.clip(z, -1, 1)))) / 0.5, 0, 359).astype(int)
    column = np.clip((180 + np.degrees(np.arctan2(y, x))) / 0.5, 0, 719).astype(int)
    return there & mask()[row, column]


def draw_land(random: np.random.Generator, num: int) -> Array:
    """Draw unit vectors uniformly from the land, by rejection: [num, 3]."""
    proposed = random.normal(size=(12 * num, 3))
    proposed /= np.linalg.norm(proposed, axis=1, keepdims=True)
    return proposed[is_land(proposed)][:num]


def cells_of(points: Array) -> Array:
    """The equal-area cell of each unit vector, -1 for NaN: integers [N]."""
    there = np.isfinite(points).all(axis=1)
    x, y, z = np.where(there[:, None], points, 0).T
    rows, columns = _CELLS
    row = np.clip((1 - z) / 2 * rows, 0, rows - 1).astype(int)
    column = np.clip((np.arctan2(y, x) + np.pi) / (2 * np.pi) * columns, 0, columns - 1).astype(int)
    return np.where(there, row * columns + column, -1)


@functools.cache
def land_cells() -> Array:
    """The cells at least half of which is land, in ascending order."""
    rows, columns = (_POINTS_OF_CELL * number for number in _CELLS)
    sine = 1 - (np.arange(rows) + 0.5) * 2 / rows
    longitude = (np.arange(columns) + 0.5) * 2 * np.pi / columns - np.pi
    points = to_sphere(np.stack(np.meshgrid(longitude / 2, sine), axis=-1).reshape(-1, 2))
    share = np.bincount(cells_of(points), weights=is_land(points)) / _POINTS_OF_CELL**2
    return np.flatnonzero(share >= 0.5)


def nearest(points: Array, others: Array) -> Array:
    """Distance on the sphere from each unit vector [N, 3] to the nearest other [M, 3], in radians: [N].

    Infinite for NaN; a point itself is at distance 0.
    """
    found = np.full(len(points), np.inf)
    for block in range(0, len(points), 1000):
        cosines = points[block : block + 1000] @ others.T
        # The chord, since the arc cosine is blind to small angles.
        chords = np.linalg.norm(points[block : block + 1000] - others[np.argmax(cosines, axis=1)], axis=1)
        found[block : block + 1000] = 2 * np.arcsin(np.minimum(chords / 2, 1))
    return np.where(np.isfinite(found), found, np.inf)


def nearest_of_each_other(points: Array) -> Array:
    """Distance on the sphere from each of the unit vectors [N, 3] to the nearest of the others, in radians: [N]."""
    cosines = points @ points.T
    np.fill_diagonal(cosines, -np.inf)
    chords = np.linalg.norm(points - points[np.argmax(cosines, axis=1)], axis=1)
    return 2 * np.arcsin(np.minimum(chords / 2, 1))
