"""A kernel density on the sphere, with von Mises-Fisher kernels (Fisher 1953)."""

import numpy as np
from scipy.special import logsumexp

Array = np.ndarray


def log_density(points: Array, centers: Array, width: float) -> Array:
    """log p of unit vectors [N, 3] under kernels of `width` radians at centers [M, 3], nats per steradian: [N]."""
    concentration = width**-2
    # The constant is kappa / (4 pi sinh kappa); exp(kappa) is taken into the exponent.
    constant = np.log(concentration) - np.log(2 * np.pi) - np.log(-np.expm1(-2 * concentration))
    exponents = concentration * (points @ centers.T - 1)
    return constant + logsumexp(exponents, axis=1) - np.log(len(centers))


def draw(random: np.random.Generator, centers: Array, width: float, num: int) -> Array:
    """Draws from the density: [num, 3]. The cosine of the distance from a center is inverted (Ulrich 1984)."""
    concentration = width**-2
    center = centers[random.integers(len(centers), size=num)]
    share = random.uniform(size=num)
    cosine = 1 + np.log(share + (1 - share) * np.exp(-2 * concentration)) / concentration
    tangent = random.normal(size=(num, 3))
    tangent -= np.sum(tangent * center, axis=1, keepdims=True) * center
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    sine = np.sqrt(np.maximum(1 - cosine**2, 0))
    return cosine[:, None] * center + sine[:, None] * tangent
