"""Densities fitted to codes, what is decoded from them, and how like the prior codes are."""

import contextlib
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_samples import on_x, run_of

from jaxgen import preprocess
from train.__main__ import main
from train.data import from_arrays
from train.engine.keys import make_keys
from train.errors import InputError
from train.evaluation import code_density
from train.evaluation.evaluators import codes
from train.evaluation.samples import references
from train.evaluation.subject import Options, Subject

QUICK = ("--steps", "20", "--evaluate-every", "10", "--checkpoint-every", "10", "--devices", "1")


@pytest.fixture(scope="module")
def plane():
    """Images whose two pixels are two independent codes around (0.3, 0.7)."""
    random = np.random.default_rng(0)
    x = np.clip(np.array([0.3, 0.7]) + 0.05 * random.normal(size=(900, 2)), 0, 1).astype(np.float32)
    x = x.reshape(-1, 1, 2, 1)
    return from_arrays("made", {"x_train": x[:600], "x_test": x[600:]})


def linear(dataset, prepare=preprocess.scale):
    """A model whose code of an image is how many standard deviations its pixels are from their mean."""
    center = np.array([0.3, 0.7], np.float32)[None]

    def encode(model, x, *, y=None):
        x = (x + 1) / 2 if prepare is preprocess.scale_symmetric else x
        return (x.reshape(len(x), 2) - center) / 0.05

    def decode(model, z, *, y=None):
        x = (0.05 * z + center).reshape(-1, 1, 2, 1)
        return 2 * x - 1 if prepare is preprocess.scale_symmetric else x

    run = run_of(dataset, None, prepare=prepare)
    return run._replace(recipe=run.recipe._replace(encode=encode, decode=decode))


@pytest.mark.parametrize("kind", ["gaussian", "gmm"])
def test_a_fitted_density_has_the_codes_moments(kind):
    random = np.random.default_rng(0)
    z = random.normal(size=(4000, 2)) @ np.array([[1.0, 0.5], [0.0, 0.3]]) + [2, -1]
    drawn, y = code_density.fit(kind, (z.astype(np.float32), np.arange(4000) % 2))(8000, 0)

    # Means of 4,000 and 8,000 draws with a standard deviation of about 1.
    np.testing.assert_allclose(drawn.mean(0), [2, -1], atol=4 * (1 / np.sqrt(4000) + 1 / np.sqrt(8000)))
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(z.T), atol=0.08)
    assert abs(y.mean() - 0.5) < 4 * 0.5 / np.sqrt(8000)
    assert np.abs(np.corrcoef(drawn[:-1, 0], drawn[1:, 0])[0, 1]) < 4 / np.sqrt(8000)  # not sorted by component


def test_codes_are_in_the_model_s_units_and_images_in_the_unit_interval(plane):
    for prepare in (preprocess.scale, preprocess.scale_symmetric):
        run = linear(plane, prepare)
        z = code_density.encode(run, None, jax.random.key(0), plane.test["x"], None)
        np.testing.assert_allclose(code_density.decode(run, None, z, None), plane.test["x"], atol=1e-5)


def test_a_perfect_latent_space_and_a_poor_one(plane):
    def found(run):
        subject = Subject(run, None, run.keys[0], Options(1, references(run, on_x())))
        assert codes.applies(subject)
        return {name: measured.values.item() for name, measured in codes.measure(subject).items()}

    perfect = found(linear(plane))
    assert perfect["frechet_distance_of_reconstructions"] < 1e-6
    assert perfect["mmd_p_value"] > 0.01
    spread = 2 * 0.05**2
    for origin in ("normal", "gaussian", "gmm"):
        assert perfect[f"frechet_distance_of_{origin}"] < 0.05 * spread
    # Mid-points of independent codes have half the variance: (1 - sqrt(1/2))^2 of it is the distance.
    np.testing.assert_allclose(perfect["frechet_distance_of_interpolations"], spread * (1 - 0.5**0.5) ** 2, rtol=0.5)

    far = linear(plane)
    encode, decode = far.recipe.encode, far.recipe.decode
    far = far._replace(
        recipe=far.recipe._replace(
            encode=lambda model, x, *, y=None: encode(model, x) + 3,
            decode=lambda model, z, *, y=None: decode(model, z - 3),
        )
    )
    poor = found(far)
    assert poor["mmd_p_value"] < 0.01
    assert poor["frechet_distance_of_normal"] > 5 * spread
    assert poor["frechet_distance_of_gaussian"] < 0.05 * spread


def test_a_model_without_a_prior_is_sampled_from_a_fitted_one(rae, capsys):
    main(["sample", str(rae), "--prior", "gmm", "--num", "5"])
    x = np.load(rae / "samples.npz", allow_pickle=False)["x"]
    assert x.shape == (5, 4, 4, 1)
    assert len(np.unique(x.reshape(5, -1), axis=0)) == 5
    capsys.readouterr()

    with pytest.raises(SystemExit) as stop:
        main(["sample", str(rae)])
    assert stop.value.code == 2
    assert "cannot sample; expected --prior gaussian or gmm" in capsys.readouterr().err


def test_a_model_without_codes_has_no_fitted_prior(tmp_path, capsys):
    main(["configs/naive_bayes_blobs.py", "--run-dir", str(tmp_path / "run"), "--steps", "100", "--devices", "1"])
    with pytest.raises(SystemExit) as stop:
        main(["sample", str(tmp_path / "run"), "--prior", "gaussian"])
    assert stop.value.code == 2
    assert "--prior gaussian: expected a run of a family that encodes and decodes" in capsys.readouterr().err


def test_a_mixture_is_fitted_only_to_codes_of_few_dimensions(plane):
    wide = linear(plane)
    encode = wide.recipe.encode
    for size, applies in ((63, True), (64, False)):
        tiled = lambda model, x, *, y=None, size=size: jnp.tile(encode(model, x), size)[:, :size]  # noqa: E731
        run = wide._replace(recipe=wide.recipe._replace(encode=tiled))
        assert codes.applies(Subject(run, None, make_keys(0), Options(1, references(run, on_x())))) == applies


@pytest.mark.parametrize(
    ("encode", "is_vector"), [(lambda _, x, y: x.reshape(len(x), -1), True), (lambda _, x, y: x, False)]
)
def test_codes_that_are_images_are_refused_where_vectors_are_needed(encode, is_vector):
    dataset = types.SimpleNamespace(test={"x": np.zeros((3, 4, 4, 1), np.uint8)})
    run = types.SimpleNamespace(
        recipe=types.SimpleNamespace(encode=encode),
        dataset=dataset,
        prepare=preprocess.scale,
        models=[None],
        path="runs/a",
    )
    with contextlib.nullcontext() if is_vector else pytest.raises(InputError, match=r"runs/a: .* \(4, 4, 1\)"):
        code_density.check_vectors(run)
