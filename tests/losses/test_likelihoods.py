"""Values and gradients of the likelihoods against SciPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special, stats

from jaxgen import losses

RNG = np.random.default_rng(0)
LOGITS = 3 * RNG.normal(size=(4, 3, 2))
MEAN, LOG_VAR, X = RNG.normal(size=(3, 4, 3, 2))
PIXELS = RNG.integers(0, 2, (4, 3, 2)).astype(float)
GREYS = RNG.uniform(size=(4, 3, 2))
CLASSES = RNG.integers(0, 5, (4, 3))
CLASS_LOGITS = 3 * RNG.normal(size=(4, 3, 5))


def bernoulli_oracle(logits, x):
    # The cross-entropy, which also holds between 0 and 1; at 0 and 1 it is held to stats.bernoulli below.
    return -np.sum(x * special.log_expit(logits) + (1 - x) * special.log_expit(-logits), axis=(1, 2))


def gaussian_oracle(mean, log_var, x):
    return -np.sum(stats.norm.logpdf(x, mean, np.exp(log_var / 2)), axis=(1, 2))


def categorical_oracle(logits):
    one_hot = np.eye(5)[CLASSES]
    return -np.sum(stats.multinomial.logpmf(one_hot, 1, special.softmax(logits, axis=-1)), axis=1)


def rounded(array):
    """To bfloat16, and what is left of it in float64."""
    array = jnp.asarray(array, jnp.bfloat16)
    return array, np.asarray(array, np.float64)


def gradients(loss, *arguments):
    """Of the sum over examples, with respect to every argument, in float32."""
    arguments = [jnp.float32(argument) for argument in arguments]
    return jax.grad(lambda arguments: jnp.sum(loss(*arguments)))(arguments)


def differences(oracle, *arguments):
    """The same in float64, by finite differences."""
    stacked = np.stack(arguments)
    flat = optimize.approx_fprime(stacked.ravel(), lambda flat: np.sum(oracle(*flat.reshape(stacked.shape))))
    return flat.reshape(stacked.shape)


def test_bernoulli_values():
    expected = -np.sum(stats.bernoulli.logpmf(PIXELS, special.expit(LOGITS)), axis=(1, 2))
    np.testing.assert_allclose(losses.bernoulli_nll(jnp.float32(LOGITS), jnp.float32(PIXELS)), expected, rtol=1e-5)


def test_bernoulli_of_greys_is_a_cross_entropy():
    value = losses.bernoulli_nll(jnp.float32(LOGITS), jnp.float32(GREYS))
    np.testing.assert_allclose(value, bernoulli_oracle(LOGITS, GREYS), rtol=1e-5)


@pytest.mark.parametrize("x", [PIXELS, GREYS], ids=["pixels", "greys"])
def test_bernoulli_gradients(x):
    found = gradients(losses.bernoulli_nll, LOGITS, x)
    np.testing.assert_allclose(found, differences(bernoulli_oracle, LOGITS, x), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[0], special.expit(LOGITS) - x, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("logit", [-200.0, -88.0, -17.0, 0.0, 17.0, 88.0, 200.0])
@pytest.mark.parametrize("x", [0.0, 0.25, 1.0])
def test_bernoulli_at_extreme_logits(logit, x):
    # Where probabilities in float32 have long been 0 or 1; log_expit is exact there in float64.
    expected = -(x * special.log_expit(logit) + (1 - x) * special.log_expit(-logit))
    value, gradient = jax.value_and_grad(lambda logit: losses.bernoulli_nll(logit, jnp.full((1, 1), x)).sum())(
        jnp.full((1, 1), logit)
    )
    rounding = np.finfo(np.float32).eps * max(abs(logit), 1)
    np.testing.assert_allclose(value, expected, rtol=1e-6, atol=rounding)
    np.testing.assert_allclose(gradient, [[special.expit(logit) - x]], rtol=1e-6, atol=1e-7)


def test_bernoulli_sums_bfloat16_in_float32():
    # A sum of 784 values in bfloat16, which near 512 are 4 apart, would miss by more than this tolerance.
    logits, logits64 = rounded(3 * RNG.normal(size=(3, 28, 28)))
    x, x64 = rounded(RNG.integers(0, 2, (3, 28, 28)))
    value = losses.bernoulli_nll(logits, x)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, bernoulli_oracle(logits64, x64), rtol=2e-6)


def test_gaussian_values_and_gradients():
    value = losses.gaussian_nll(*(jnp.float32(array) for array in (MEAN, LOG_VAR, X)))
    np.testing.assert_allclose(value, gaussian_oracle(MEAN, LOG_VAR, X), rtol=1e-6, atol=1e-5)
    found = gradients(losses.gaussian_nll, MEAN, LOG_VAR, X)
    np.testing.assert_allclose(found, differences(gaussian_oracle, MEAN, LOG_VAR, X), rtol=1e-4, atol=1e-5)


def test_gaussian_is_a_multivariate_normal():
    mean, log_var, x = RNG.normal(size=(3, 6))
    expected = -stats.multivariate_normal.logpdf(x, mean, np.diag(np.exp(log_var)))
    value = losses.gaussian_nll(*(jnp.float32(array)[None] for array in (mean, log_var, x)))
    np.testing.assert_allclose(value, [expected], rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("log_var", [-80.0, -20.0, 20.0, 80.0])
def test_gaussian_at_extreme_variances(log_var):
    expected = -stats.norm.logpdf(1.5, 0.5, np.exp(log_var / 2))
    value, gradient = jax.value_and_grad(lambda v: losses.gaussian_nll(jnp.array([0.5]), v, jnp.array([1.5])).sum())(
        jnp.array([log_var])
    )
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    np.testing.assert_allclose(gradient, [0.5 - 0.5 * np.exp(-log_var)], rtol=1e-5)


def test_gaussian_sums_bfloat16_in_float32():
    arrays = [rounded(array) for array in RNG.normal(size=(3, 3, 28, 28))]
    value = losses.gaussian_nll(*(array for array, _ in arrays))
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, gaussian_oracle(*(array for _, array in arrays)), rtol=2e-6, atol=1e-3)


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.uint8])
def test_categorical_values_and_gradient(dtype):
    x = jnp.asarray(CLASSES, dtype)
    np.testing.assert_allclose(
        losses.categorical_nll(jnp.float32(CLASS_LOGITS), x), categorical_oracle(CLASS_LOGITS), rtol=1e-5
    )
    (found,) = gradients(lambda logits: losses.categorical_nll(logits, x), CLASS_LOGITS)
    np.testing.assert_allclose(found, differences(categorical_oracle, CLASS_LOGITS)[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found, special.softmax(CLASS_LOGITS, axis=-1) - np.eye(5)[CLASSES], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("value", [0, 127, 128, 255])
def test_categorical_of_256_values_read_as_uint8(value):
    logits = RNG.normal(size=(1, 1, 256))
    found = losses.categorical_nll(jnp.float32(logits), jnp.full((1, 1), value, jnp.uint8))
    np.testing.assert_allclose(found, [-special.log_softmax(logits[0, 0])[value]], rtol=1e-5)


def test_categorical_at_extreme_logits():
    logits = jnp.array([[-200.0, 200.0], [-200.0, 200.0]])
    value, gradient = jax.value_and_grad(lambda logits: losses.categorical_nll(logits, jnp.array([0, 1])).sum())(logits)
    np.testing.assert_allclose(value, 400.0)
    np.testing.assert_allclose(gradient, [[-1.0, 1.0], [0.0, 0.0]])


@pytest.mark.parametrize("value", [-1, -4, 4, 1000])
def test_categorical_of_a_value_outside_is_nan(value):
    logits = jnp.float32(RNG.normal(size=(3, 2, 4)))
    found = losses.categorical_nll(logits, jnp.array([[0, 3], [value, 0], [2, 1]]))
    np.testing.assert_array_equal(np.isnan(found), [False, True, False])


def test_categorical_of_a_negative_int8_is_nan_though_it_cannot_hold_256():
    assert np.isnan(losses.categorical_nll(jnp.zeros((1, 1, 256)), jnp.full((1, 1), -1, jnp.int8))).all()


def test_categorical_sums_bfloat16_in_float32():
    logits, logits64 = rounded(3 * RNG.normal(size=(3, 784, 4)))
    x = RNG.integers(0, 4, (3, 784))
    value = losses.categorical_nll(logits, jnp.asarray(x))
    assert value.dtype == jnp.float32
    expected = -np.take_along_axis(special.log_softmax(logits64, axis=-1), x[..., None], axis=-1).sum((1, 2))
    np.testing.assert_allclose(value, expected, rtol=2e-6)


def test_bits_per_dim():
    # A uniform density over 256 values costs 8 bits whatever the number of dimensions.
    np.testing.assert_allclose(losses.bits_per_dim(jnp.array([12 * np.log(256), 0.0]), 12), [8.0, 0.0], rtol=1e-6)
    np.testing.assert_allclose(jax.grad(lambda nll: losses.bits_per_dim(nll, 12).sum())(jnp.ones(1)), 1 / np.log(2**12))


@pytest.mark.parametrize("num_dims", [0, -1])
def test_bits_per_dim_refuses_no_dimensions(num_dims):
    with pytest.raises(ValueError, match=f"num_dims must be positive, got {num_dims}"):
        losses.bits_per_dim(jnp.ones(3), num_dims)


OBSERVED = RNG.integers(0, 2, (4, 3, 2)).astype(bool)
MASKED = {  # the loss, the arguments and the mask; each value alone is a likelihood of one value, whose sum is known
    "bernoulli_nll": ((LOGITS, PIXELS), OBSERVED),
    "gaussian_nll": ((MEAN, LOG_VAR, X), OBSERVED),
    "squared_error": ((MEAN, X), OBSERVED),
    "categorical_nll": ((CLASS_LOGITS, CLASSES), OBSERVED[..., 0]),
}


@pytest.mark.parametrize("name", MASKED)
def test_missing_values_add_nothing_whatever_stands_there(name):
    """The loss of what was observed, gathered, is the loss under the mask, with nan wherever the mask is false."""
    arguments, where = MASKED[name]
    loss = getattr(losses, name)
    arguments = [jnp.asarray(a, jnp.int32 if a is CLASSES else jnp.float32) for a in arguments]
    floats = [i for i, a in enumerate(arguments) if jnp.issubdtype(a.dtype, jnp.floating)]

    def total(*arguments, where=None):
        return jnp.sum(loss(*arguments, where=where)), loss(*arguments, where=where)

    missing = [  # a class that there is not, too
        jnp.where(where.reshape(*where.shape, *[1] * (a.ndim - where.ndim)), a, jnp.nan if i in floats else 99)
        for i, a in enumerate(arguments)
    ]
    found, gradients = jax.grad(total, floats, has_aux=True)(*missing, where=jnp.asarray(where))[::-1]
    for row in range(4):
        observed = [a[row][where[row]][None] for a in arguments]
        if not where[row].any():
            assert found[row] == 0
            continue
        (expected,), theirs = jax.grad(total, floats, has_aux=True)(*observed)[::-1]
        np.testing.assert_allclose(found[row], expected, rtol=1e-6)
        for ours, their in zip(gradients, theirs, strict=True):
            np.testing.assert_allclose(ours[row][where[row]], their[0], rtol=1e-6)
            assert not ours[row][~where[row]].any()
    np.testing.assert_array_equal(loss(*arguments, where=jnp.ones(where.shape, bool)), loss(*arguments))


def test_a_mask_is_of_the_shape_of_x_and_of_booleans():
    x = jnp.zeros((4, 3))
    with pytest.raises(
        AssertionError, match=r"bernoulli_nll: where must be \[B, \.\.\.\] where logits is \(4, 3\), got"
    ):
        losses.bernoulli_nll(x, x, where=jnp.ones(3, bool))
    with pytest.raises(AssertionError, match=r"bernoulli_nll: where must be booleans, got float32 \(4, 3\)"):
        losses.bernoulli_nll(x, x, where=x)


@pytest.mark.parametrize(
    ("loss", "shapes"),
    [
        ("bernoulli_nll", [(4,), (4, 1)]),
        ("bernoulli_nll", [(4, 1), (4,)]),
        ("bernoulli_nll", [(4, 2), (1, 2)]),
        ("gaussian_nll", [(4, 2), (4, 1), (4, 2)]),
        ("gaussian_nll", [(4,), (4,), (4, 1)]),
        ("gaussian_nll", [(4, 2), (), (4, 2)]),
    ],
)
def test_shapes_that_would_broadcast_are_refused(loss, shapes):
    with pytest.raises(AssertionError):
        getattr(losses, loss)(*(jnp.zeros(shape) for shape in shapes))


@pytest.mark.parametrize(("logits", "x"), [((4, 3), (4, 3)), ((4, 3, 5), (4, 1)), ((4, 5), (4, 3)), ((5,), (4,))])
def test_categorical_shapes_that_would_broadcast_are_refused(logits, x):
    with pytest.raises(AssertionError):
        losses.categorical_nll(jnp.zeros(logits), jnp.zeros(x, jnp.int32))


def test_wrong_dtypes_are_refused():
    floats, integers = jnp.zeros((2, 3)), jnp.zeros((2, 3), jnp.int32)
    for arguments in [(floats, integers), (integers, floats), (floats, floats.astype(bool))]:
        with pytest.raises(AssertionError):
            losses.bernoulli_nll(*arguments)
    with pytest.raises(AssertionError):
        losses.gaussian_nll(floats, floats, integers)
    for arguments in [(floats[..., None], floats), (integers[..., None], integers)]:
        with pytest.raises(AssertionError):
            losses.categorical_nll(*arguments)


def test_a_change_of_variables_is_the_density_of_the_transformed_value():
    """Of x = exp(s) z + t, which is Gaussian, with the gradients of SciPy's density."""
    random = np.random.default_rng(8)
    x, s, t = random.normal(size=(3, 4, 2))
    z, log_det = (x - t) * np.exp(-s), -s.sum(axis=1)
    found = losses.change_of_variables_nll(jnp.float32(z), jnp.float32(log_det))
    np.testing.assert_allclose(found, -stats.norm.logpdf(x, t, np.exp(s)).sum(axis=1), rtol=1e-5)

    gradients = jax.grad(lambda *a: jnp.sum(losses.change_of_variables_nll(*a)), (0, 1))
    for gradient, expected in zip(gradients(jnp.float32(z), jnp.float32(log_det)), (z, -np.ones(4)), strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-6)
