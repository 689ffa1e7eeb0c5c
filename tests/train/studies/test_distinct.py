"""A deterministic generator is exhausted, one with noise is not."""

import numpy as np
import pytest
from scipy.stats import norm

from train.studies import distinct


def test_codes_are_the_middles_of_equally_likely_parts():
    z = distinct.quantized_codes(np.random.default_rng(0), 1000, (2,), 2)
    np.testing.assert_allclose(np.unique(z), norm.ppf([0.125, 0.375, 0.625, 0.875]), rtol=1e-5)
    assert z.shape == (1000, 2)


@pytest.mark.parametrize("bits", [1, 3])
def test_outputs_of_the_input_alone_are_no_more_than_inputs(bits):
    noise = np.random.default_rng(1)

    def outputs(z):
        return {"rounded": np.round(z).astype(np.int8), "draws": z + noise.normal(size=z.shape)}

    found = distinct.count(np.random.default_rng(0), outputs, (2,), bits=bits, num=5000)
    # 5,000 draws of 64 codes at most: that one is missing has the probability 64 (63 / 64)^5000, below 1e-32.
    assert found["codes"] == found["possible_codes"] == 4**bits
    # The quantiles of eight parts lie between -1.54 and 1.54, and round to -2 ... 2: those of two to -1 and 1.
    assert found["rounded"] == {1: 4, 3: 25}[bits]
    assert found["draws"] == 5000
