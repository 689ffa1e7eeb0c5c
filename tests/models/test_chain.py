"""Chains, hidden Markov models and chain CRFs against enumeration of all labellings, in float64 NumPy."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import models

B, T, K, D = 5, 4, 3, 6
LENGTHS = np.array([4, 2, 1, 3, 0])
INSIDE = np.arange(T)[None] < LENGTHS[:, None]
RNG = np.random.default_rng(3)
X = RNG.integers(2, size=(B, T, D)).astype(np.float64)
Y = RNG.integers(K, size=(B, T))
INITIAL, TRANSITION, EMISSION = (2 * RNG.normal(size=shape) for shape in (K, (K, K), (B, T, K)))
FORBIDDEN = np.where(np.eye(K, dtype=bool), -np.inf, TRANSITION)  # no label twice in a row
START, UPWARDS = np.array([0, -np.inf, -np.inf]), np.where(np.eye(K) + np.eye(K, k=1) > 0, TRANSITION, -np.inf)
# Of a hidden Markov model: p(y_1), p(y_t | y_{t-1}), and log-odds of p(x_d | y).
FIRST, NEXT = RNG.dirichlet(np.ones(K)), RNG.dirichlet(np.ones(K), size=K)
LOGITS = RNG.normal(size=(K, D))


@pytest.fixture(autouse=True)
def float64():
    """Sums of a few dozen terms of size 10 are then exact to 1e-12, whatever their order."""
    with jax.enable_x64(new_val=True):
        yield


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def chain(initial=INITIAL, transition=TRANSITION, emission=EMISSION) -> models.Chain:
    return models.Chain(initial, transition, emission, LENGTHS)


@jax.jit
def read(chain: models.Chain, y: jax.Array) -> dict:
    """All that is computed of a chain, in one program for all tests."""
    chain = models.Chain(*map(jnp.asarray, chain))

    def total(scores):
        return jnp.sum(models.chain_log_partition(models.Chain(*scores, chain.lengths)))

    return {
        "score": models.chain_score(chain, y),
        "nll": models.chain_nll(chain, y),
        "marginals": models.chain_marginals(chain),
        "best": models.viterbi(chain),
        "gradient": jax.grad(total)(chain[:3]),
    }


def labellings(chain: models.Chain, row: int) -> dict[tuple[int, ...], float]:
    """The score of every labelling of one sequence, term by term."""
    initial, transition, emission, lengths = chain
    found = {}
    for y in itertools.product(range(K), repeat=int(lengths[row])):
        score = sum(emission[row, t, label] for t, label in enumerate(y)) + (initial[y[0]] if y else 0.0)
        found[y] = score + sum(transition[i, j] for i, j in itertools.pairwise(y))
    return found


def expectations(scores: dict) -> tuple[np.ndarray, np.ndarray]:
    """p(y_t = k) and the expected number of each transition, of the labellings with these scores."""
    labels, pairs = np.zeros((T, K)), np.zeros((K, K))
    for y, score in scores.items():
        probability = np.exp(score - log_partition(scores))
        for t, label in enumerate(y):
            labels[t, label] += probability
        for i, j in itertools.pairwise(y):
            pairs[i, j] += probability
    return labels, pairs


def log_partition(scores: dict) -> float:
    return float(np.logaddexp.reduce(list(scores.values())))


@pytest.mark.parametrize(
    ("initial", "transition"),
    [(INITIAL, TRANSITION), (INITIAL, FORBIDDEN), (START, UPWARDS)],
    ids=["all allowed", "some forbidden", "left to right"],
)
def test_partition_marginals_and_best_labelling_are_the_enumeration_s(initial, transition):
    given = chain(initial, transition)
    found = read(given, Y)
    marginals, (best, best_score) = found["marginals"], found["best"]
    for row, length in enumerate(LENGTHS):
        scores = labellings(given, row)
        total = log_partition(scores)
        labels, pairs = expectations(scores)
        close(marginals.log_partition[row], total)
        close(marginals.labels[row], labels)
        close(marginals.transitions[row], pairs)
        of_y = scores[tuple(Y[row, :length].tolist())]
        close(found["score"][row], of_y)
        close(found["nll"][row], total - of_y)
        expected = max(scores, key=lambda y: scores[y])
        assert best[row].tolist() == [*expected, *[-1] * (T - length)]
        close(best_score[row], scores[expected])
    # The gradient of the log-partition is the marginals.
    of_initial, of_transition, of_emission = found["gradient"]
    close(of_initial, np.sum(marginals.labels[:, 0], axis=0))
    close(of_transition, np.sum(marginals.transitions, axis=0))
    close(of_emission, marginals.labels)


def test_padding_reaches_nothing():
    junk = chain(emission=np.where(INSIDE[:, :, None], EMISSION, 99.0))
    found = read(junk, np.where(INSIDE, Y, -7))
    jax.tree.map(np.testing.assert_array_equal, found, read(chain(), Y))


def test_scores_of_tens_of_thousands_of_nats_stay_exact_to_their_digits():
    """As naive Bayes has for images; -inf or nan if anything left log space."""
    given = chain(transition=FORBIDDEN, emission=1e4 * EMISSION)
    found = read(given, Y)
    for row in range(B):
        scores = labellings(given, row)
        np.testing.assert_allclose(found["marginals"].log_partition[row], log_partition(scores), rtol=1e-12)
        # 1e5 nats have a rounding error of 1e-11.
        np.testing.assert_allclose(found["marginals"].labels[row], expectations(scores)[0], atol=1e-9)
        np.testing.assert_allclose(found["gradient"][2][row], expectations(scores)[0], atol=1e-9)


def hidden_markov() -> models.HiddenMarkov:
    return models.HiddenMarkov(*map(jnp.asarray, (np.log(FIRST), np.log(NEXT), LOGITS)))


def test_a_hidden_markov_model_is_its_product_of_probabilities_and_its_posterior_a_crf():
    given = jax.jit(models.hidden_markov_chain)(hidden_markov(), X, LENGTHS)
    found = read(given, Y)
    p = 1 / (1 + np.exp(-LOGITS))
    for row, length in enumerate(LENGTHS):
        y = Y[row, :length]
        joint = np.prod([FIRST[y[0]] if length else 1.0, *(NEXT[i, j] for i, j in itertools.pairwise(y))])
        for t, label in enumerate(y):
            joint *= np.prod(np.where(X[row, t] == 1, p[label], 1 - p[label]))
        close(np.exp(found["score"][row]), joint)

    bias = -np.sum(np.log1p(np.exp(LOGITS)), axis=1)
    crf = models.ChainCRF(*map(jnp.asarray, (np.log(FIRST), np.log(NEXT), LOGITS.T, bias)))
    close(read(models.crf_chain(crf, X, LENGTHS), Y)["nll"], found["nll"])
    uniform = models.crf_chain(models.zero_chain_crf(D, K), X, LENGTHS)
    close(read(uniform, Y)["nll"], LENGTHS * np.log(K))


def test_counts_by_hand_and_the_model_that_they_give():
    x = jnp.asarray([[[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], [[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]])
    y, lengths = jnp.asarray([[0, 1, 1], [1, 7, 7]]), jnp.asarray([3, 1])

    @jax.jit
    def fit(x):
        counts = models.observed_counts(x, y, lengths, 2)
        return counts, models.hidden_markov_from_counts(counts, smoothing=1.0)

    counts, model = fit(x)
    assert [part.tolist() for part in counts] == [[1, 1], [[0, 1], [0, 1]], [1, 3], [[1, 0], [1, 2]]]
    close(np.exp(model.initial), [1 / 2, 1 / 2])
    close(np.exp(model.transition), [[1 / 3, 2 / 3], [1 / 3, 2 / 3]])
    close(1 / (1 + np.exp(-model.logits)), [[2 / 3, 1 / 3], [2 / 5, 3 / 5]])


def test_expectation_maximisation_never_lowers_the_posterior_density_of_the_parameters():
    """log p(x) + log of the Dirichlet prior up to a constant; without pseudo-counts the likelihood itself."""

    @functools.partial(jax.jit, static_argnums=1)
    def iterate(model, num, smoothing):
        def step(model, _):
            counts, log_prob = models.expected_counts(model, jnp.asarray(X), jnp.asarray(LENGTHS))
            log_p = jax.nn.log_sigmoid(model.logits) + jax.nn.log_sigmoid(-model.logits)
            prior = sum(map(jnp.sum, (model.initial, model.transition, log_p)))
            objective = jnp.sum(log_prob) + jnp.where(smoothing > 0, smoothing * prior, 0)
            return models.hidden_markov_from_counts(counts, smoothing=smoothing), (objective, log_prob, counts.labels)

        return jax.lax.scan(step, model, length=num)[1]

    for smoothing in (0.0, 0.7):  # five steps: without a prior some probability is soon 0
        objective, log_prob, of_labels = iterate(hidden_markov(), 5, smoothing)
        assert np.all(np.diff(objective) > -1e-10)
        assert objective[-1] > objective[0] + 1
        close(np.sum(of_labels, axis=1), np.full(5, LENGTHS.sum()))
        emission = X @ LOGITS.T - np.sum(np.log1p(np.exp(LOGITS)), axis=1)
        given = chain(np.log(FIRST), np.log(NEXT), emission)
        close(log_prob[0], [log_partition(labellings(given, row)) for row in range(B)])


def test_samples_have_the_probabilities_of_the_model():
    num, length = 20_000, 3

    @jax.jit
    def draw(key):
        x, y = models.sample_hidden_markov(key, hidden_markov(), num, length)
        return x.shape, models.observed_counts(x, y, jnp.full(num, length), K)

    shape, counts = draw(jax.random.key(0))
    assert shape == (num, length, D)
    shares = counts.initial, counts.transitions, counts.ones
    draws = np.full(K, num), np.sum(counts.transitions, axis=1)[:, None], np.asarray(counts.labels)[:, None]
    for share, n, p in zip(shares, draws, (FIRST, NEXT, 1 / (1 + np.exp(-LOGITS))), strict=True):
        # 30 shares, each within 5 standard deviations of at most sqrt(1 / 4 n).
        np.testing.assert_array_less(np.abs(share / n - p), 5 * np.sqrt(0.25 / n) * np.ones_like(p))


def test_wrong_shapes_are_refused():
    with pytest.raises(AssertionError, match=r"viterbi: emission must be \[B, T, K\]"):
        models.viterbi(chain(emission=EMISSION[0]))
    with pytest.raises(AssertionError, match="chain_score: y must be integers"):
        models.chain_score(chain(), np.zeros((B, T)))
