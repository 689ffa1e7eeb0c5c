"""The report: one file, everything escaped, and what a browser makes of it."""

import html
import html.parser
import json
import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest

from train import config as configs
from train.engine.selection import LESS_IS_BETTER
from train.report import published
from train.report.drawing import images
from train.report.meanings import MEANINGS


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
    assert all(attributes["src"].startswith("data:image/") for attributes in images)
    assert all(attributes["alt"] for attributes in images)
    assert "http" not in source
    for said in (
        "negative_elbo",
        "importance_weighted_nll",
        "latent_dim",
        "the last tenth of the training data",
        "jax",
    ):
        assert said in page.text


def test_chromium_shows_the_report_on_a_phone_and_on_a_desk(report, tmp_path):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    frames = [
        f'<iframe style="width: {width}px; height: 900px" srcdoc="{html.escape(report.read_text())}"></iframe>'
        for width in WIDTHS
    ]
    (tmp_path / "frames.html").write_text(f"<!doctype html>{''.join(frames)}{MEASURE}")
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom",
        "--enable-logging=stderr", (tmp_path / "frames.html").as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, timeout=60, text=True)

    found = json.loads(re.search(r"<output>(.*)</output>", done.stdout)[1])
    for page in found:
        assert page["needed"] == page["width"]  # nothing lies beside the window
        assert page["height"] > 900  # it is no error page
        assert (page["images"], page["broken"]) == (4, 0)
    assert "CONSOLE" not in done.stderr


WIDTHS = (390, 1280)
MEASURE = """
<output></output>
<script>
onload = () => {
  document.querySelector("output").textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument, images = [...page.images];
    page.querySelectorAll("details").forEach(part => part.open = true);
    const root = page.documentElement;
    return {
      width: root.clientWidth, needed: root.scrollWidth, height: root.scrollHeight,
      images: images.length, broken: images.filter(image => !image.naturalWidth).length
    };
  }));
};
</script>
"""


def test_the_report_leads_with_five_numbers_and_says_what_each_is(report):
    leads = re.findall(r"<div><dt>(.*?)<dd>.*?</div>", report.read_text().replace("<wbr>", ""))
    assert leads == ["importance_weighted_nll", "negative_elbo", "bits_per_dim", "squared_error", "reconstruction"]
    text = Page(report.read_text()).text
    assert "VAE on scikit-learn's 8 x 8 digits, dynamically binarized" in text  # the first line of the config
    assert MEANINGS["importance_weighted_nll"].text in text
    assert "Lower is better." in text


def test_every_metric_has_a_meaning_whose_direction_is_that_of_selection(root):
    records = [json.loads(file.read_text()) for file in (root / "docs" / "results").rglob("*.json")]
    names = {name for record in records for name in named(record)}
    assert "nll" in names
    assert names <= MEANINGS.keys()
    for name, less in LESS_IS_BETTER.items():
        assert MEANINGS[name].better == ("lower is better" if less else "higher is better")


def named(record) -> set[str]:
    """Names of the metrics in an evaluation; none in another record."""
    return set(record["metrics"]) if isinstance(record, dict) and {"metrics", "step"} <= record.keys() else set()


def test_a_run_is_held_against_the_rows_whose_protocol_it_follows():
    bound = configs.bind(configs.load("vampprior_vae_mnist_static"), ["--seed", "3", "--steps", "10"])
    record = {"config": "configs/vampprior_vae_mnist_static.py", "values": bound.values}
    found = published.expected(record)
    assert found["importance_weighted_nll"][0].published == "88.56"
    assert found["importance_weighted_nll"][1].endswith("epochs")
    assert published.expected({**record, "values": {**bound.values, "learning_rate": 0.3}}) == {}
    assert published.expected({**record, "config": "elsewhere/vampprior_vae_mnist_static.py"}) == {}


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
