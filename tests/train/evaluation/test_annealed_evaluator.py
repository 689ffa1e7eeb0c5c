"""Bounds by annealed chains on examples of a linear-Gaussian decoder, whose likelihood is known (SciPy, float64)."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from jaxgen import losses
from jaxgen.recipe import Recipe
from train.engine.compile import over_examples
from train.evaluation.evaluators.annealed import enclose

NUM, LATENT, DIM, STD = 120, 2, 4, 0.5  # two batches and a part of one
RNG = np.random.default_rng(3)
WEIGHT = RNG.normal(size=(DIM, LATENT))


def log_likelihood(model, x, z, *, y=None):
    del y
    mean = z @ model.T
    return -losses.gaussian_nll(mean, jnp.full_like(mean, 2 * np.log(STD)), x)


def test_the_bounds_of_each_example_enclose_its_likelihood():
    recipe = Recipe(init=None, step=None, evaluate=None, log_likelihood=log_likelihood)
    z = RNG.normal(size=(NUM, LATENT))
    x = z @ WEIGHT.T + STD * RNG.normal(size=(NUM, DIM))
    truth = stats.multivariate_normal.logpdf(x, cov=WEIGHT @ WEIGHT.T + STD**2 * np.eye(DIM))

    bounds = over_examples(enclose(recipe, LATENT, 400), batch_size=50)
    examples = {"x": x.astype(np.float32), "z": z.astype(np.float32)}
    found = bounds(jax.random.key(0), jnp.float32(WEIGHT), examples)
    for error in (truth - found["lower"], found["upper"] - truth):
        assert error.shape == (NUM,)
        assert error.mean() > -5 * error.std() / np.sqrt(NUM)  # of a bound in expectation
        # Errors are of 0.1 nats; those of a likelihood of another example would be of the spread of the truth.
        assert error.std() < 0.25 < 0.2 * truth.std()
    only_forward = bounds(jax.random.key(0), jnp.float32(WEIGHT), {"x": examples["x"]})
    np.testing.assert_array_equal(only_forward["lower"], found["lower"])
    assert "upper" not in only_forward
