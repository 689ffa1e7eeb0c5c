"""A page that follows a run, and browsers that are there or not."""

import shutil
import time
import webbrowser

import pytest
from run_files import call

from train.engine import terminal


def test_the_page_follows_the_log_until_the_report_is_there(plane, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    shutil.copytree(plane, run)
    report, lines = (run / "report.html").read_bytes(), (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "report.html").unlink()
    (run / "metrics.jsonl").write_text(lines[0])
    pages, waited = [], []

    def wait(seconds):
        waited.append(seconds)
        pages.append((run / "watch.html").read_text())
        if len(waited) == 2:
            (run / "metrics.jsonl").write_text("".join(lines))
        if len(waited) == 3:
            (run / "report.html").write_bytes(report)

    monkeypatch.setattr(time, "sleep", wait)
    assert call("watch", str(run), "--every", "5") == 0
    said = capsys.readouterr().out.splitlines()

    assert waited == [5.0] * 3
    assert said[0].startswith("step 10 of 10  loss ")
    assert said[1] == f"page {run / 'watch.html'}"
    assert ["valid_negative_elbo" in line for line in said[2:]] == [True, True]
    assert pages[0] == pages[1]
    assert pages[1] != pages[2]
    for page in pages:
        assert '<meta http-equiv="refresh" content="5">' in page
        assert "data:image/svg+xml;base64," in page
    assert "valid_negative_elbo" in pages[2]
    last = (run / "watch.html").read_text()
    assert "refresh" not in last
    assert "report.html has all that was measured" in last


def test_what_is_no_run_is_one_line(tmp_path, capsys):
    assert call("watch", str(tmp_path)) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path} is no run")


def test_a_browser_is_asked_for_the_page(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(webbrowser, "open", lambda address: asked.append(address) or len(asked) == 1)
    terminal.open_page(tmp_path / "report 1.html")
    assert capsys.readouterr().err == ""
    terminal.open_page(tmp_path / "report 1.html")
    assert (
        capsys.readouterr().err == f"warning: no browser could be started; {tmp_path / 'report 1.html'} is the page\n"
    )
    assert asked == [f"file://{tmp_path}/report%201.html"] * 2


@pytest.mark.parametrize(("option", "opened"), [("--open", True), ("--no-open", False)])
def test_a_complete_run_opens_its_report_where_that_is_asked_for(option, opened, plane, tiny, monkeypatch):
    asked = []
    monkeypatch.setattr("train.commands.train.open_page", asked.append)
    arguments = ["configs/vae_digits.py", "--data", tiny, "--run-dir", str(plane), "--devices", "1", "--batch-size",
                 "16", "--features", "none", "--hidden", "8", "--latent-dim", "2", "--steps", "10", option]  # fmt: skip
    assert call(*arguments) == 0
    assert asked == [plane / "report.html"] * opened
