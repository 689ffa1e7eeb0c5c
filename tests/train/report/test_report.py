"""The report: one file, everything escaped, and what a browser makes of it."""

import html.parser
import json
import logging
import pathlib
import re
import shutil

import numpy as np
import pytest
from browser import Browser

from train import config as configs
from train import runs
from train.engine.selection import LESS_IS_BETTER
from train.evaluation import code_density
from train.report import html as html_report
from train.report import pictures, published
from train.report.drawing import charts, images
from train.report.explorer.decodings import ALPHAS, DEVIATIONS, decode
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
    assert all("src" not in attributes for tag, attributes in page.tags if tag == "script")
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


def open_browser(folder: pathlib.Path) -> Browser:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    return Browser(chromium, folder / "profile")


@pytest.mark.parametrize("width", [390, 1280])
def test_chromium_shows_the_report_on_a_phone_and_on_a_desk(report, tmp_path, width):
    with open_browser(tmp_path) as browser:
        browser.open(report, width)
        browser.ask("document.querySelectorAll('details').forEach(part => part.open = true)")
        root = "document.documentElement"
        assert browser.ask(f"{root}.scrollWidth") <= browser.ask(f"{root}.clientWidth") <= width
        assert browser.ask(f"{root}.scrollHeight") > 900  # it is no error page
        assert browser.ask("[...document.images].every(image => image.naturalWidth > 0)")
        assert browser.complaints() == []


def test_the_explorer_is_slid_clicked_and_typed_into(report, tmp_path):
    with open_browser(tmp_path) as browser:
        browser.open(report, 390)

        def seen(pane: str) -> list:
            tile = f"document.querySelector('[data-pane={pane}] .tile')"
            said = browser.ask(f"document.querySelector('[data-pane={pane}] output').textContent")
            assert browser.ask(f"{tile}.ariaLabel") == f"decoded image, {said}"
            return [said, browser.ask(f"{tile}.style.backgroundPosition")]

        assert seen("classes") == ["from class 2 to 0, alpha = 0", "75% 50%"]
        browser.press("[name=alpha]", "ArrowRight", 39)
        assert seen("classes") == ["from class 2 to 0, alpha = 0.1", "70% 50%"]
        browser.press("[name=source]", "1", 49, "1")  # typing chooses the class of that name
        assert seen("classes") == ["from class 1 to 0, alpha = 0.1", "70% 0%"]
        browser.press("[name=source]", "ArrowUp", 38)
        assert browser.ask("document.querySelector('[data-pane=classes] output').textContent") == "choose two classes"
        browser.point(".map", 0.99, 0.01)
        said, place = seen("map")
        assert said.startswith("principal component 1 = ")
        assert place == "100% 0%"
        browser.point("[name=deviation]", 0.99, 0.5, click=True)
        assert seen("components") == ["principal component 1, 3 standard deviations", "100% 0%"]
        assert seen("training") == ["step 20", "0% 100%"]
        browser.press("[name=step]", "ArrowLeft", 37)
        assert seen("training") == ["step 10", "0% 0%"]
        assert browser.complaints() == []


def test_what_the_explorer_shows_is_what_the_model_decodes(report):
    run = runs.load(str(report.parent), None)
    found = decode(run)
    z = pictures.codes(run, pictures.prepare_test(run))
    y = run.dataset.test["y"]
    means = [z[y == label].mean(axis=0) for label in found.classes]
    at = ALPHAS.tolist().index(1.0)
    np.testing.assert_allclose(
        found.walks[0][at], code_density.decode(run, run.models[0], means[1][None], None)[0], atol=1e-5
    )
    # The components' middle is the mean code, and the map's edges hold all codes.
    middle = code_density.decode(run, run.models[0], z.mean(axis=0)[None], None)[0]
    np.testing.assert_allclose(found.components[:, len(DEVIATIONS) // 2], [middle] * 3, atol=1e-5)
    assert found.steps == [10, 20]
    now = code_density.decode(run, run.models[0], z[:1], None)[0]
    np.testing.assert_allclose(found.training[1, 0], now, atol=1e-5)
    assert not np.allclose(found.training[0, 0], now)
    assert (found.plane.low <= found.plane.points).all()
    assert (found.plane.points <= found.plane.high).all()


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
