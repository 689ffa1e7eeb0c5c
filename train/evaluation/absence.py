"""Why a model lacks a metric or a cost that others have, in a few words for the cell of a table."""

from collections.abc import Iterable

from train.data import MIXTURES
from train.evaluation.evaluators.probes import FEW, representation
from train.evaluation.subject import Options
from train.runs import Run

NOT_MEASURED = "not measured"


def explain(run: Run, options: Options, measured: Iterable[str]) -> dict[str, str]:
    """The reason for each metric that an evaluation did not measure."""
    reasons = _reasons(run, options)
    return {name: reason for name, reason in reasons.items() if name not in set(measured)}


def _reasons(run: Run, options: Options) -> dict[str, str]:
    recipe, spec = run.recipe, run.dataset.spec
    likelihood = "no likelihood" if recipe.log_prob is None else None
    samples = "no samples" if recipe.sample is None else None
    codes = "no codes" if recipe.encode is None or recipe.decode is None else None
    classes = "no classes" if recipe.classify is None else "no labels" if spec.num_classes is None else None
    compared = NOT_MEASURED if options.references is None else None  # --features none
    modes = None if run.dataset.source in MIXTURES else "no known modes"
    return {
        **dict.fromkeys(("negative_elbo", "reconstruction", "kl"), likelihood or "no ELBO"),
        "nll": likelihood or "a bound only",
        "importance_weighted_nll": likelihood or "NLL is exact",
        "bits_per_dim": likelihood or ("a density" if recipe.levels is None else "data off its values"),
        **dict.fromkeys(_ANNEALED, likelihood or ("no p(x | z)" if recipe.log_likelihood is None else NOT_MEASURED)),
        "ood_auroc": likelihood or NOT_MEASURED,
        "squared_error": codes or "another cost",
        "cost": codes or "another cost",
        "accuracy": classes or NOT_MEASURED,
        "cross_entropy": "no classifier",
        "real_logit": "no discriminator",
        "fake_logit": "no discriminator",
        **dict.fromkeys(_SAMPLES, samples or compared or "too few examples"),
        **dict.fromkeys(("classes", "class_reverse_kl"), samples or compared or "no classifier"),
        **dict.fromkeys(("modes", "high_quality", "mode_reverse_kl"), samples or modes or NOT_MEASURED),
        **dict.fromkeys(
            ("parzen_log_likelihood", "parzen_window"),
            samples or ("has a likelihood" if likelihood is None else compared or "data not in [0, 1]"),
        ),
        **dict.fromkeys(_CODES, codes or compared or "64 dimensions or more"),
        **dict.fromkeys(_PROBES, of_probes(run) or NOT_MEASURED),
        "samples_per_second": samples or NOT_MEASURED,
        "step_seconds": "run too short",
        "training_seconds": "run too short",
    }


def of_probes(run: Run) -> str | None:
    """Why nothing can be learned from a model's representation of examples; None where something can."""
    if run.dataset.spec.num_classes is None:
        return "no labels"
    if representation(run.recipe) is None:
        return "no codes" if run.recipe.encode is None else "codes that depend on y"
    return None


_PROBES = ("linear_probe_accuracy", "nearest_neighbour_accuracy", *(f"probe_accuracy_{num}" for num in FEW))
_ANNEALED = ("annealed_nll", "importance_weighted_excess", "annealed_gap")
_SAMPLES = (
    "frechet_distance", "frechet_distance_of_training_data", "kernel_distance", "precision", "recall", "density",
    "coverage", "nearest_training_example", "nearest_test_example", "memorization",
)  # fmt: skip
_CODES = (
    "frechet_distance_of_reconstructions", "frechet_distance_of_normal", "frechet_distance_of_gaussian",
    "frechet_distance_of_gmm", "frechet_distance_of_interpolations", "mmd_to_prior", "mmd_p_value",
)  # fmt: skip
