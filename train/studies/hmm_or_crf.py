"""Hidden Markov model against conditional random field over the number of training words.

    python -m train study hmm_or_crf [--data ocr_words] [--sizes 10 100 1000] [--train-on rest|one]

The sequence twin of `study crossing`: four classifiers of handwritten letters, generative or discriminative, each
letter alone or with its neighbours (train/studies/classifiers/sequence_pairs.py), fitted to the same random subsets of
words and tested on the letters of other words, in the folds of cross-validation that come with the data. A fifth curve
adds to the hidden Markov model all other training words without their labels, by Baum-Welch, which only a model of x
can.
"""

import dataclasses
import datetime
import functools
import time
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import models
from train import runs
from train.data.order import epoch_order
from train.data.words import Words, open_words
from train.engine import files, run_directory
from train.engine.record import provenance
from train.errors import InputError, warn
from train.evaluation.estimates import Estimate
from train.experiment import Rate, Seed, Size
from train.report import results
from train.report.drawing import charts
from train.studies.classifiers import curves, sequence_pairs
from train.studies.classifiers.sequence_pairs import Sequences

_SIZES = (10, 30, 100, 300, 1000)
_CLASSIFIERS = {
    "naive_bayes": "naive Bayes",
    "hmm": "HMM",
    "logistic_regression": "logistic regression",
    "crf": "CRF",
    "hmm_unlabelled": "HMM, and words without labels",
}
_PAIRS = (("naive_bayes", "logistic_regression"), ("hmm", "crf"), ("crf", "logistic_regression"))


@dataclasses.dataclass(kw_only=True)
class Options:
    """Data, sizes and folds, hyper-parameters and destination."""

    data: str = "ocr_words"
    """A file of words in the data directory (train/data/words.py)."""
    data_dir: str | None = None
    """Directory of data sets by name; None: JAXGEN_DATA, else where `data fetch` writes."""
    sizes: tuple[Size, ...] = ()
    """Numbers of training words; none: 10, 30, 100, 300, 1,000 and all."""
    train_on: Literal["rest", "one"] = "rest"
    """Test each fold after training on the rest, or train on one fold and test on the rest."""
    smoothing: Rate = 0.1
    """Pseudo-count of each first letter, transition and pixel value, for naive Bayes and the hidden Markov model."""
    l2: Rate = 1e-3
    """L2 penalty: l2 / 2 times the sum of squared weights is added to the mean NLL of a letter in nats."""
    em_steps: Size = 5
    """Steps of Baum-Welch."""
    seed: Seed = 0
    """Seed of the subsets."""
    out: str = "runs/hmm_or_crf"
    """Directory of the results and the plot."""


def orders(words: Words, train_on: str, seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Training words of each fold in random order, of which a subset is the first m, and its test words."""
    train, test = [], []
    for fold in range(words.fold.max() + 1):
        inside = words.fold == fold
        rows = np.flatnonzero(inside if train_on == "one" else ~inside)
        train.append(rows[epoch_order(seed, fold, len(rows))])
        test.append(np.flatnonzero(~inside if train_on == "one" else inside))
    return train, test


def pad(rows: list[np.ndarray], num: int, empty: int) -> np.ndarray:
    """The first `num` rows of each fold, [F, num]; of one that has fewer all, and then `empty`."""
    return np.stack([np.pad(each[:num], (0, max(0, num - len(each))), constant_values=empty) for each in rows])


def measure(
    words: Sequences, train: jax.Array, rest: jax.Array, test: jax.Array, *, num_classes: int, options: Options
) -> dict[str, jax.Array]:
    """Letter accuracies of the classifiers, fitted to the words at rows `train` [F, m], with reports: [F] each.

    `rest` [F, N] are the training words that are not among them, and `test` [F, M] those that are tested.
    """
    smoothing, l2 = options.smoothing, options.l2

    def select(rows: jax.Array) -> Sequences:
        return Sequences(words.x[rows].astype(jnp.float32), words.y[rows], words.lengths[rows])

    def one(rows: tuple[jax.Array, jax.Array, jax.Array]) -> dict[str, jax.Array]:
        train, rest, test = map(select, rows)
        counts = models.observed_counts(*train, num_classes)
        hmm = models.hidden_markov_from_counts(counts, smoothing=smoothing)
        unlabelled = sequence_pairs.add_unlabelled(
            counts, rest.x, rest.lengths, smoothing=smoothing, steps=options.em_steps
        )
        regression, *regression_report = sequence_pairs.fit_regression(train, num_classes, l2=l2)
        crf, *crf_report = sequence_pairs.fit_crf(train, num_classes, l2=l2)
        chains = {
            "naive_bayes": sequence_pairs.naive_bayes_chain(counts, test.x, test.lengths, smoothing=smoothing),
            "hmm": models.hidden_markov_chain(hmm, test.x, test.lengths),
            "hmm_unlabelled": models.hidden_markov_chain(unlabelled, test.x, test.lengths),
            "logistic_regression": models.crf_chain(regression, test.x, test.lengths),
            "crf": models.crf_chain(crf, test.x, test.lengths),
        }
        # One after the other, so that one program reads them all.
        stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *chains.values())
        words, letters, nats = jax.lax.map(lambda chain: sequence_pairs.decode(chain, test.y), stacked)
        return {
            **dict(zip(chains, words, strict=True)),
            **{f"{name}_by_marginals": each for name, each in zip(chains, letters, strict=True) if "_" not in name},
            **{f"{name}_nats": each for name, each in zip(chains, nats, strict=True) if "hmm" in name},
            "steps": jnp.stack([regression_report[0], crf_report[0]]),
            "gradient_norm": jnp.stack([regression_report[1], crf_report[1]]),
        }  # fmt: skip

    return jax.lax.map(one, (train, rest, test))  # sequentially: one fold already saturates a CPU


def summarize(m: int, found: dict[str, np.ndarray]) -> dict:
    """A row of the record: estimates of accuracies, of paired differences in accuracy, and of log p(x)."""
    accuracy = {name: curves.mean(values) for name, values in found.items() if values.ndim == 1 and "nats" not in name}
    difference = {f"{a} - {b}": curves.mean(found[a] - found[b]) for a, b in _PAIRS}
    log_prob = {name: curves.mean(found[f"{name}_nats"], "nats a letter") for name in ("hmm", "hmm_unlabelled")}
    reports = {name: found[name].tolist() for name in ("steps", "gradient_norm")}
    return {"m": m, "accuracy": accuracy, "difference": difference, "log_prob": log_prob, **reports}


def run(options: Options, words: Words, sizes: list[int]) -> list[dict]:
    """Measure and print every size."""
    train, test = orders(words, options.train_on, options.seed)
    empty = len(words.lengths)  # one more word, of no letters
    sequences = Sequences(*(jnp.asarray(np.concatenate([each, np.zeros_like(each[:1])])) for each in words[:3]))
    num_train, num_test = (max(map(len, rows)) for rows in (train, test))
    table = []
    for m in sizes:
        compiled = jax.jit(functools.partial(measure, num_classes=int(words.y.max()) + 1, options=options))
        rest = [rows[m:] for rows in train]
        found = compiled(
            sequences, pad(train, m, empty), pad(rest, max(1, num_train - m), empty), pad(test, num_test, empty)
        )
        row = summarize(m, jax.tree.map(np.asarray, found))
        table.append(row)
        accuracy = ", ".join(f"{title} {row['accuracy'][name].value:.4f}" for name, title in _CLASSIFIERS.items())
        print(f"m {m}: letter accuracy of {accuracy}", flush=True)
        if stopped := int(np.sum(~(np.array(row["gradient_norm"]) <= sequence_pairs.TOLERANCE))):
            warn(f"m {m}: {stopped} of {2 * len(train)} fits stopped before the gradient vanished")
    return table


def errors(table: list[dict]) -> dict[str, list[Estimate]]:
    """Error curves of the classifiers, by their titles."""

    def complement(found: Estimate) -> Estimate:
        low, high = (None if end is None else 1 - end for end in (found.high, found.low))
        return found._replace(value=1 - (found.value or 0.0), low=low, high=high)

    return {title: [complement(row["accuracy"][name]) for row in table] for name, title in _CLASSIFIERS.items()}


def open_inputs(options: Options) -> tuple[Words, list[int]]:
    """Open the data and check the sizes; InputError for data or sizes that cannot be used."""
    words = open_words(options.data, options.data_dir)
    most = max(map(len, orders(words, options.train_on, 0)[0]))
    sizes = sorted(set(options.sizes)) or [*(size for size in _SIZES if size < most), most]
    if sizes[-1] > most:
        raise InputError(f"--sizes {sizes[-1]}: expected at most {most}, all training words of the largest")
    return words, sizes


def main(arguments: list[str]) -> None:
    """Run the command line."""
    started = time.perf_counter()
    options = runs.bind(Options, arguments, prog="python -m train study hmm_or_crf", description=__doc__)
    words, sizes = open_inputs(options)
    out = run_directory.make_directory("--out", options.out)
    origin = provenance.origin(["study", "hmm_or_crf", *arguments], jax.local_devices())
    table = run(options, words, sizes)
    by_title = errors(table)
    found = {}
    for pair in _PAIRS[:2]:
        titles = [_CLASSIFIERS[name] for name in pair]
        found[" and ".join(titles)] = curves.crossings(
            sizes, {title: [one.value or 0.0 for one in by_title[title]] for title in titles}
        )
    result = {
        "values": {name: value for name, value in vars(options).items() if name not in ("data_dir", "out")},
        "data_fingerprint": words.fingerprint,
        "words": len(words.lengths),
        "different_words": len({row[:length].tobytes() for row, length in zip(words.y, words.lengths, strict=True)}),
        "crossings": found,
        "sizes": results.plain(table),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "provenance": origin | {"seconds": round(time.perf_counter() - started, 1)},
    }
    files.write_json(out / "hmm_or_crf.json", result)
    for both, crossed in found.items():
        print(f"the curves of {both}", curves.tell(crossed))
    charts.save_crossing(out / "hmm_or_crf.png", sizes, by_title, None, of="words")
    print(out / "hmm_or_crf.png")
