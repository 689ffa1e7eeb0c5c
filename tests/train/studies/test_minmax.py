"""The game on a line ends where its theory says."""

import json

import numpy as np
import pytest

from train.__main__ import main


def test_every_claim_can_be_seen(tmp_path):
    main(["study", "minmax", "--steps", "500", "--seeds", "2", "--out", str(tmp_path / "out")])

    result = json.loads((tmp_path / "out" / "minmax.json").read_text())
    found = {name: np.array(metric["seeds"]) for name, metric in result["metrics"].items()}
    assert result["provenance"]["command"].startswith("python -m train study minmax --steps 500")
    optimal = found["optimal_value"]
    # V is largest at D*, and at a short training's end not far below.
    assert (found["value"] <= optimal + 1e-4).all()
    assert (found["value"] > optimal - 0.1).all()
    assert (found["kl"] < 0.2).all()
    assert (found["distance_from_half"] < 0.1).all()
    assert (found["saturating"] < 0.1 * found["non_saturating"]).all()
    # Along a line of length 3 the penalised critic minimises -3 g + 10 (g - 1)^2: g = 1.15 after 2,000 steps.
    np.testing.assert_allclose(found["penalised"], 1.15, atol=0.6)
    assert (found["free"] > 100 * found["penalised"]).all()
    assert (tmp_path / "out" / "minmax.png").stat().st_size > 10_000


def test_steps_that_do_not_divide_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["study", "minmax", "--steps", "120", "--out", str(tmp_path / "out")])
    assert stop.value.code == 2
    assert "--steps 120: expected a multiple of 50" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(SystemExit) as stop:
        main(["study", "minmax", "--steps", "50", "--out", str(tmp_path / "out")])
    assert stop.value.code == 2
    assert "expected a directory that can be written" in capsys.readouterr().err
