"""The published data sets themselves, where a directory of them is at hand."""

import os

import numpy as np
import pytest

from train.data import open_data
from train.data.conventions import CONVENTIONS

DIRECTORY = os.environ.get("JAXGEN_DATA")
pytestmark = pytest.mark.skipif(not DIRECTORY, reason="JAXGEN_DATA names no directory of data sets")

# name: (shape, classes, train, valid, test, mean of the training and validation images in 0 ... 255)
PUBLISHED = {
    "mnist": ((28, 28, 1), 10, 54000, 6000, 10000, 33.3184),
    "fashion_mnist": ((28, 28, 1), 10, 54000, 6000, 10000, 72.9404),
    # the ink of the two parts is 0.130562 and 0.131127
    "binarized_mnist": ((28, 28, 1), None, 50000, 10000, 10000, 255 * (5 * 0.130562 + 0.131127) / 6),
    "frey_faces": ((28, 20, 1), None, 1565, 200, 200, None),
    "olivetti_faces": ((64, 64, 1), None, 324, 36, 40, None),
    "cifar10_4k": ((32, 32, 3), 10, 3150, 350, 500, None),
    "uci_adult": ((123,), None, 5000, 1414, 26147, None),
    "uci_dna": ((180,), None, 1400, 600, 1186, None),
    "uci_mushrooms": ((112,), None, 2000, 500, 5624, None),
    "uci_nips": ((500,), None, 400, 100, 1240, None),
    "uci_ocr_letters": ((128,), None, 32152, 10000, 10000, None),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_data(name):
    if not os.path.isfile(
        os.path.join(str(DIRECTORY), f"{CONVENTIONS[name].file if name in CONVENTIONS else name}.npz")
    ):
        pytest.skip(f"no file of {name} in JAXGEN_DATA")
    data = open_data(name, None)
    shape, num_classes, num_train, num_valid, num_test, mean = PUBLISHED[name]
    assert data.spec[:4] == (shape, num_classes, num_train, True)
    assert (len(data.valid["x"]), len(data.test["x"])) == (num_valid, num_test)
    if mean is not None:
        parts = (data.train["x"], data.valid["x"])
        total = sum(part.sum(dtype=np.int64) for part in parts) / sum(part.size for part in parts)
        assert abs(total - mean) < 1e-4
    if name == "binarized_mnist":
        assert set(np.unique(data.test["x"])) == {0, 255}
    if name.startswith("uci_"):
        assert set(np.unique(data.test["x"])) == {0, 1}
