"""Out-of-distribution detection by likelihood, as an AUROC (Nalisnick et al. 2019)."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import metrics
from train.data import spread
from train.engine.compile import over_examples
from train.engine.validation import prepare_set
from train.evaluation.estimates import Measured, single
from train.evaluation.evaluators.likelihood import measure_nll
from train.evaluation.subject import Subject

_BATCH_SIZE = 100
_MOST = 2000  # examples of each set


def applies(subject: Subject) -> bool:
    """True if there is other data and the recipe has log p(x)."""
    return subject.options.extra.against is not None and subject.run.recipe.log_prob is not None


def measure(subject: Subject) -> dict[str, Measured]:
    """AUROC of -log p(x), which should be higher for test examples of the other data than for those of the run's."""
    run, against = subject.run, subject.options.extra.against
    assert against is not None
    key_prepare, key_known, key_novel = jax.random.split(subject.key(4), 3)
    on_examples = over_examples(measure_nll(run.recipe, subject.options.num_samples), batch_size=_BATCH_SIZE)

    def score(key: jax.Array, x: np.ndarray) -> jax.Array:
        (nll,) = on_examples(key, subject.model, {"x": x}).values()
        return jnp.asarray(nll)

    novel = prepare_set(key_prepare, run.prepare, _few(against.test)).prepared["x"]
    auroc = jax.jit(metrics.auroc)(score(key_known, _few(subject.test.prepared)["x"]), score(key_novel, novel))
    return {"ood_auroc": single(auroc, f"of 1, against {against.source}", most=1)}


def _few(examples: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"x": examples["x"][spread(len(examples["x"]), _MOST)]}
