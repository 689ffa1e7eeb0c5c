"""The report: one file, everything escaped, and what a browser makes of it."""

import html.parser
import logging
import pathlib
import shutil
import subprocess

import numpy as np
import pytest

from train.report import charts, images
from train.report import html as html_report


class Page(html.parser.HTMLParser):
    """Tags and text of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def report(train, tiny, tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("report")
    odd = folder / "<i>&amp;.npz"
    shutil.copy(tiny.removeprefix("npz:"), odd)
    assert train(folder / "run", "--steps", "20", "--data", f"npz:{odd}") == 0
    return folder / "run" / "report.html"


def test_the_report_is_self_contained_and_escaped(report):
    source = report.read_text()
    page = Page(source)

    names = [tag for tag, _ in page.tags]
    assert "script" not in names
    assert "link" not in names
    assert "i" not in names
    assert "<i>&amp;.npz" in page.text  # as the file is called
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 4
    assert all(attributes["src"].startswith("data:image/png;base64,") for attributes in images)
    assert "http" not in source
    for said in (
        "negative_elbo",
        "importance_weighted_nll",
        "latent_dim",
        "the last tenth of the training data",
        "jax",
    ):
        assert said in page.text


def test_chromium_shows_the_report(report, tmp_path):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1000,1600", f"--screenshot={tmp_path / 'page.png'}",
        report.as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=60)

    import matplotlib.pyplot as plt

    page = plt.imread(tmp_path / "page.png")[..., :3]
    dark = (page.max(axis=-1) < 0.3).any(axis=1)
    assert page.shape == (1600, 1000, 3)
    assert dark.mean() > 0.2  # text and figures all the way down, not an error page


def test_a_report_that_was_cut_short_is_none(report, tmp_path):
    whole = report.read_bytes()
    assert html_report.is_whole(report.parent)
    assert not html_report.is_whole(tmp_path)
    for length in (0, 1, len(whole) // 2, len(whole) - len("</html>")):
        (tmp_path / "report.html").write_bytes(whole[:length])
        assert not html_report.is_whole(tmp_path)


def test_matplotlib_says_nothing_of_its_own(capfd):
    charts.pyplot()
    logging.getLogger("matplotlib.font_manager").warning("Matplotlib is building the font cache")
    assert capfd.readouterr() == ("", "")


def test_tiles_stand_where_they_belong():
    canvas = images.tile(np.stack([np.full((2, 3, 1), value) for value in (0.1, 0.2, 0.3)]), columns=2)

    assert canvas.shape == (7, 9, 1)
    np.testing.assert_array_equal(canvas[1:3, 5:8, 0], 0.2)
    np.testing.assert_array_equal(canvas[4:6, 1:4, 0], 0.3)
    assert canvas[4:6, 5:8].min() == 1


def test_points_are_a_scatter_and_the_rest_has_no_picture(tmp_path):
    assert images.save_examples(tmp_path / "points.png", np.random.default_rng(0).normal(size=(50, 2)))
    assert not images.save_examples(tmp_path / "rows.png", np.zeros((5, 7)))
    assert not (tmp_path / "rows.png").exists()
