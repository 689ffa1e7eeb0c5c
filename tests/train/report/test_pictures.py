"""Which pictures a run has, by what its family and data are."""

import shutil

import numpy as np
import pytest

from train import runs
from train.__main__ import main
from train.report import added, pictures


def names(run_dir) -> list[str]:
    return list(pictures.draw(runs.load(str(run_dir), None)))


@pytest.mark.parametrize(
    ("latent_dim", "expected"),
    [
        ("1", ["Curves", "Samples", "Reconstructions", "Latent space"]),
        ("2", ["Curves", "Samples", "Reconstructions", "Latent space", "Decoded grid"]),
    ],
)
def test_a_vae_of_images(train, tmp_path, latent_dim, expected):
    assert train(tmp_path / "run", "--steps", "10", "--latent-dim", latent_dim) == 0

    assert names(tmp_path / "run") == expected
    source = (tmp_path / "run" / "report.html").read_text()
    assert all(f"<h2>{name}</h2>" in source for name in expected)


def test_codes_of_more_than_two_dimensions_have_no_grid(finished):
    assert names(finished(10)) == ["Curves", "Samples", "Reconstructions", "Latent space"]


@pytest.mark.parametrize(
    ("family", "expected"),
    [("naive-bayes", ["Curves", "Samples", "Plane"]), ("logistic-regression", ["Curves", "Plane"])],
)
def test_classifiers_of_the_plane(tmp_path, family, expected):
    run = tmp_path / "run"
    main(
        ["configs/naive_bayes_blobs.py", "--run-dir", str(run), "--family", family, "--steps", "100", "--devices", "1"]
    )

    assert names(run) == expected


def test_a_game_on_the_plane_shows_both_players_and_every_seed(tmp_path):
    run = tmp_path / "run"
    small = [
        "--hidden",
        "8",
        "--discriminator-hidden",
        "8",
        "--steps",
        "20",
        "--evaluate-every",
        "10",
        "--devices",
        "1",
    ]
    main(["configs/gan_ring.py", "--run-dir", str(run), "--seeds", "2", "--checkpoint-every", "10", *small])

    drawn = pictures.draw(runs.load(str(run), None))
    assert list(drawn) == ["Losses", "Balance", "Gradients", "Samples"]
    assert "of each seed" in drawn["Samples"].caption


def test_pictures_that_were_added_stay_as_long_as_the_model(finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished(10), run)
    (run / "figures" / "mine.png").write_bytes((run / "figures" / "samples.png").read_bytes())
    added.add(runs.load(str(run), None), "Mine", "figures/mine.png", "Drawn by hand.")
    added.add(runs.load(str(run), None), "Again", "figures/mine.png", "Twice.")

    drawn = pictures.draw(runs.load(str(run), None))
    assert list(drawn)[-2:] == ["Mine", "Again"]
    assert drawn["Mine"] == pictures.Picture(run / "figures" / "mine.png", "Drawn by hand.")
    assert "Mine" not in pictures.draw(runs.load(str(run), None)._replace(step=20))  # of a model that is no more
    (run / "figures" / "added.json").write_text("{")
    assert "Mine" not in pictures.draw(runs.load(str(run), None))


def test_codes_are_those_of_every_example_once(finished):
    run = runs.load(str(finished(10)), None)
    x = np.random.default_rng(0).uniform(size=(600, 4, 4, 1)).astype(np.float32)

    z = pictures.codes(run, {"x": x})
    np.testing.assert_allclose(z, run.recipe.encode(run.models[0], x), rtol=1e-4, atol=1e-5)
