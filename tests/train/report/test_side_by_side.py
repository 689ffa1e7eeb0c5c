"""The page of a comparison: its tables sort, its curves lie over one another, its pictures are the runs' own."""

import json

import numpy as np
import pytest
from PIL import Image
from test_report import open_browser

from train.evaluation.estimates import Estimate
from train.report.comparison.runs import Comparison, Evaluated
from train.report.comparison.side_by_side import as_html
from train.report.drawing import charts

NUMBERS = {"a": 9.5, "b": 10.25, "c": None, "d <script>": -3.0}


@pytest.fixture
def found(tmp_path):
    runs = []
    for label, value in NUMBERS.items():
        path = tmp_path / label
        (path / "figures").mkdir(parents=True)
        Image.new("L", (4, 4)).save(path / "figures" / "samples.png")
        lines = [{"step": step, "valid_nll": [float(step), None]} for step in (1, 2)] if label in "ab" else []
        (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        metrics = {} if value is None else {"nll": Estimate(value, "nats", None, None, "a single value", [value])}
        record = {"config": "configs/vae_digits.py", "values": {}, "data_fingerprint": "1"}
        runs.append(Evaluated(path, record, {"metrics": metrics, "costs": {}, "absent": {"nll": "no likelihood"}}))
    return Comparison(runs, [*NUMBERS], ["nll"], [{} for _ in runs], [{} for _ in runs])


def test_a_click_or_a_key_sorts_by_number_and_what_has_none_stays_below(found, tmp_path):
    (tmp_path / "page.html").write_text(as_html(found))
    with open_browser(tmp_path) as browser:
        browser.open(tmp_path / "page.html", 390)

        def order():
            return browser.ask("[...document.querySelectorAll('.sortable tr th[scope=row]')].map(h => h.textContent)")

        assert order() == [*NUMBERS]
        head = ".sortable th:nth-child(4) button"
        browser.point(head, 0.5, 0.5, click=True)
        assert order() == ["d <script>", "a", "b", "c"]
        assert browser.ask(f"document.querySelector('{head}').parentNode.ariaSort") == "ascending"
        browser.press(head, "Enter", 13, "\r")
        assert order() == ["b", "a", "d <script>", "c"]
        browser.point(".sortable th:first-child button", 0.5, 0.5, click=True)
        assert order() == ["a", "b", "c", "d <script>"]
        assert browser.ask("document.querySelectorAll('[aria-sort]').length") == 1
        root = "document.documentElement"
        assert browser.ask(f"{root}.scrollWidth") <= browser.ask(f"{root}.clientWidth") <= 390
        assert browser.ask("[...document.images].every(image => image.naturalWidth > 0)")
        assert browser.complaints() == []


def test_curves_are_of_the_runs_that_logged_them_and_pictures_of_no_other_file(found, tmp_path):
    drawn = []
    secret = tmp_path / "secret.png"
    Image.new("L", (5, 5)).save(secret)
    (tmp_path / "c" / "figures" / "samples.png").unlink()
    (tmp_path / "c" / "figures" / "samples.png").symlink_to(secret)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(charts, "close", lambda figure, path: drawn.append(figure) or path.write_text("<svg/>"))
        page = as_html(found)

    (figure,) = drawn
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == ["a", "b"]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[1, 1], [2, 2]])
    assert page.count("data:image/png") == 3
    assert "<figcaption>c</figcaption>" not in page
    assert "d &lt;script&gt;" in page
    charts.pyplot().close(figure)
