"""The four classifiers of letters where neighbours decide; folds, subsets and files of words."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from train.__main__ import main
from train.data.words import open_words
from train.errors import InputError
from train.studies import hmm_or_crf
from train.studies.classifiers import lbfgs

LETTERS, LENGTH, WORDS, FOLDS = 4, 6, 90, 3


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """Words in which every letter follows from the one before it, in images of which half of the bits are noise."""
    random = np.random.default_rng(0)
    lengths = random.integers(2, LENGTH + 1, size=WORDS)
    word = np.repeat(np.arange(WORDS), lengths)
    place = np.concatenate([np.arange(length) for length in lengths])
    y = (random.integers(LETTERS, size=WORDS)[word] + place) % LETTERS
    templates = random.integers(2, size=(LETTERS, 8))
    x = np.where(random.uniform(size=(len(y), 8)) < 0.5, templates[y], random.integers(2, size=(len(y), 8)))
    fold = random.permutation(np.arange(WORDS) % FOLDS)[word]
    directory = tmp_path_factory.mktemp("words")
    arrays = {"x": np.packbits(x, axis=1), "y": np.uint8(y), "fold": np.uint8(fold), "word": np.int32(word)}
    np.savez(directory / "words.npz", **arrays)
    return directory, arrays


def descend(loss, params, *, tolerance, most_steps):
    """Gradient descent, which compiles in a fraction of the time of L-BFGS; for the latter see test_crossing.py."""
    del tolerance, most_steps

    def step(params, _):
        gradient = jax.grad(loss)(params)
        return jax.tree.map(lambda value, slope: value - slope, params, gradient), optax.tree.norm(gradient)

    params, norms = jax.lax.scan(step, params, length=100)
    return params, jnp.int32(100), norms[-1]


def test_neighbours_help_and_the_record_says_by_how_much(tmp_path, capsys, words, monkeypatch):
    monkeypatch.setattr(lbfgs, "minimize", descend)
    directory, _ = words
    options = ["--data=words", "--data-dir", str(directory), "--sizes=60", "--l2=1e-2", "--out", str(tmp_path / "out")]
    main(["study", "hmm_or_crf", *options])

    result = json.loads((tmp_path / "out" / "hmm_or_crf.json").read_text())
    (row,) = result["sizes"]
    accuracy = {name: found["value"] for name, found in row["accuracy"].items()}
    # Alone, half of the bits say nothing; a word of neighbours has but four labellings, told apart by all letters.
    # Shares of 120 letters a fold have a standard deviation of at most 0.05, their mean over three folds of 0.03.
    assert 0.3 < accuracy["naive_bayes"] < accuracy["hmm"] - 0.15
    assert 0.3 < accuracy["logistic_regression"] < accuracy["crf"] - 0.15
    difference = row["difference"]["hmm - crf"]
    assert difference["value"] == pytest.approx(accuracy["hmm"] - accuracy["crf"], abs=1e-6)
    assert len(row["log_prob"]["hmm"]["seeds"]) == FOLDS
    assert max(map(max, row["gradient_norm"])) < 0.05
    assert result["words"] == WORDS
    assert "data_dir" not in result["values"]
    assert (tmp_path / "out" / "hmm_or_crf.png").stat().st_size > 10_000
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"m 60: letter accuracy of naive Bayes {accuracy['naive_bayes']:.4f}, HMM")


def test_words_are_padded_letters_in_order(words):
    directory, arrays = words
    found = open_words("words", str(directory))
    assert found.x.shape == (WORDS, LENGTH, 8)
    inside = np.arange(LENGTH)[None] < found.lengths[:, None]
    np.testing.assert_array_equal(np.packbits(found.x[inside], axis=1), arrays["x"])
    np.testing.assert_array_equal(found.y[inside], arrays["y"])
    assert not found.x[~inside].any()
    np.testing.assert_array_equal(found.fold[arrays["word"]], arrays["fold"])


@pytest.mark.parametrize("train_on", ["rest", "one"])
def test_a_fold_is_tested_on_words_of_which_none_is_trained_on(words, train_on):
    found = open_words("words", str(words[0]))
    train, test = hmm_or_crf.orders(found, train_on, 5)
    for fold in range(FOLDS):
        assert sorted([*train[fold], *test[fold]]) == list(range(WORDS))
        assert set(found.fold[test[fold] if train_on == "rest" else train[fold]]) == {fold}
    assert hmm_or_crf.pad([np.array([3, 4, 5]), np.array([7])], 2, 99).tolist() == [[3, 4], [7, 99]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fold": None}, "has no array fold"),
        ({"y": np.zeros(3, np.uint8)}, "expected x uint8"),
        ({"word": lambda word: word[::-1]}, "expected words numbered from 0"),
        ({"fold": lambda fold: fold + 1}, "expected folds numbered from 0"),
        ({"fold": lambda fold: np.arange(len(fold), dtype=np.uint8) % 3}, "each word in one of them"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, words, change, said):
    changed = {name: new(words[1][name]) if callable(new) else new for name, new in change.items()}
    arrays = {name: array for name, array in {**words[1], **changed}.items() if array is not None}
    np.savez(tmp_path / "words.npz", **arrays)
    with pytest.raises(InputError, match=said):
        open_words("words", str(tmp_path))


def test_more_words_than_there_are_is_one_line(tmp_path, capsys, words):
    given = ["--data=words", "--data-dir", str(words[0]), "--sizes=61", "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as stop:
        main(["study", "hmm_or_crf", *given])
    assert stop.value.code == 2
    assert "--sizes 61: expected at most 60" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
