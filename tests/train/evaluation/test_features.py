"""In what samples are compared: a classifier that is trained once, one that is given, or x itself."""

import pathlib
import re

import numpy as np
import pytest

from train import config as configs
from train import runs
from train.__main__ import main
from train.engine.run_directory import InUseError
from train.errors import InputError
from train.evaluation import features
from train.evaluation.features import classifier as classifier_of_features
from train.evaluation.features import spaces

QUICK = ("--steps", "20", "--evaluate-every", "10", "--checkpoint-every", "10", "--devices", "1")


@pytest.fixture(scope="module")
def vae(tmp_path_factory, tiny) -> runs.Run:
    path = tmp_path_factory.mktemp("runs") / "vae"
    main(
        ["configs/vae_digits.py", "--data", tiny, "--run-dir", str(path), "--batch-size", "16", "--hidden", "8",
         "--latent-dim", "2", "--num-samples", "4", "--features", "x", *QUICK]
    )  # fmt: skip
    return runs.load(str(path), None)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory, tiny) -> str:
    path = tmp_path_factory.mktemp("runs") / "classifier"
    main(["configs/classifier_mnist.py", "--data", tiny, "--run-dir", str(path), "--batch-size", "16", *QUICK])
    return str(path)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> pathlib.Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "jaxgen" / "classifiers"


def test_a_classifier_is_trained_once_for_a_data_set(vae, cache, monkeypatch, capsys):
    bind = configs.bind
    monkeypatch.setattr(configs, "bind", lambda config, options: bind(config, [*options, *QUICK]))
    main(["evaluate", str(vae.path), "--num-samples", "4"])
    first = capsys.readouterr().out
    main(["evaluate", str(vae.path), "--num-samples", "4"])
    second = capsys.readouterr().out

    assert "training classifier_mnist" in first
    assert "training classifier_mnist" not in second
    assert [entry.is_dir() for entry in cache.iterdir()] == [True]  # and nothing half done beside it
    lines = {line.split()[0]: line for line in second.splitlines()}
    assert re.search(r"on features of classifier_mnist \(npz:.*, accuracy 0\.\d{4}\)", lines["frechet_distance"])
    assert lines["frechet_distance"] in first
    assert " of 3, on features of" in lines["classes"]


def test_a_classifier_that_was_stopped_is_gone_on_with(vae, cache, monkeypatch, capsys):
    """And one that another process trains is waited for; nothing is left beside the one that is kept."""
    bind, started = configs.bind, []
    monkeypatch.setattr(configs, "bind", lambda config, options: bind(config, [*options, *QUICK]))
    train_beside = classifier_of_features.train_beside

    def stopped_then_in_use(run, config, path, data):
        started.append(path)
        if len(started) == 1:
            path.mkdir()
            (path / "lock").touch()
            raise KeyboardInterrupt
        if len(started) == 2:
            raise InUseError("another process runs it")
        return train_beside(run, config, path, data)

    monkeypatch.setattr(classifier_of_features, "train_beside", stopped_then_in_use)
    with pytest.raises(SystemExit):
        main(["evaluate", str(vae.path), "--num-samples", "4"])
    assert [path.name[16:] for path in cache.iterdir()] == [".training"]
    main(["evaluate", str(vae.path), "--num-samples", "4"])
    capsys.readouterr()
    assert len(started) == 3
    assert len(set(started)) == 1
    (kept,) = cache.iterdir()
    assert kept.name == started[0].name.removesuffix(".training")


def test_a_cache_that_cannot_be_written_is_found_before_training(tiny, tmp_path, monkeypatch, capsys):
    (tmp_path / "jaxgen").write_text("a file in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(SystemExit) as stop:
        main(["configs/vae_digits.py", "--data", tiny, "--run-dir", str(tmp_path / "run"), "--batch-size", "16"])
    assert stop.value.code == 2
    assert "expected --features RUN or x" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_classifier_that_is_given(vae, classifier, capsys):
    main(["evaluate", str(vae.path), "--num-samples", "4", "--features", classifier])
    assert "on features of classifier_mnist" in capsys.readouterr().out

    look = features.choose(vae, classifier)
    x = np.random.default_rng(0).uniform(size=(7, 4, 4, 1)).astype(np.float32)
    assert look.embed(x).shape == (7, 128)
    assert set(look.classify(x)) <= {0, 1, 2}


def test_x_itself(vae, capsys):
    main(["evaluate", str(vae.path), "--num-samples", "4", "--features", "x"])
    printed = capsys.readouterr().out
    assert "on pixels" in printed
    assert "classes" not in printed


def test_nothing_is_compared_on_request(vae, capsys):
    main(["evaluate", str(vae.path), "--num-samples", "4", "--features", "none"])
    assert "frechet" not in capsys.readouterr().out


def test_features_are_looked_at_before_a_run_begins(tiny, tmp_path, vae, capsys):
    call = ["configs/vae_digits.py", "--data", tiny, "--run-dir", str(tmp_path / "run"), "--batch-size", "16"]
    for given in ("nowhere", str(vae.path)):
        with pytest.raises(SystemExit) as stop:
            main([*call, "--features", given])
        assert stop.value.code == 2
    assert "expected the run of a classifier" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_only_a_classifier_of_such_examples_will_do(vae, classifier):
    few = vae._replace(dataset=vae.dataset._replace(train=vae.dataset.train | {"y": np.arange(52) % 5}))
    with pytest.raises(InputError, match="expected a classifier of the data's classes, not of 3"):
        features.choose(few, classifier)

    tall = {"x": np.zeros((52, 5, 4, 1), np.uint8), "y": vae.dataset.train["y"]}
    other = vae._replace(dataset=vae.dataset._replace(train=tall))
    with pytest.raises(InputError, match=r"expected a run on examples of shape \(5, 4, 1\), not \(4, 4, 1\)"):
        features.choose(other, classifier)


def test_digits_that_are_stacked_are_read_one_by_one(vae, monkeypatch):
    def read(x):
        assert x.shape[1:] == (4, 4, 1)
        label = np.round(x.mean(axis=(1, 2, 3)) * 9).astype(int)
        return label[:, None].astype(np.float32), label

    monkeypatch.setattr(spaces, "_compile", lambda judge: read)
    monkeypatch.setattr(spaces, "_open", lambda given, dataset, trust: vae)
    monkeypatch.setattr(spaces, "_name", lambda judge: "on features")
    stacked = vae._replace(dataset=vae.dataset._replace(source="stacked_mnist"))
    look = features.choose(stacked, "RUN")
    x = np.broadcast_to(np.array([3, 0, 7]) / 9, (2, 4, 4, 3)).astype(np.float32)
    assert look.name == "on features of each colour"
    np.testing.assert_array_equal(look.classify(x), [307, 307])
    np.testing.assert_array_equal(look.embed(x), [[3, 0, 7], [3, 0, 7]])
