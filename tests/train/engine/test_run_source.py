"""The code of a config as part of a run: kept, compared at a resume, and executed by a reader only if it may be."""

import hashlib
import importlib.metadata
import json
import pathlib
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from run_files import call

from train import config as configs
from train import runs
from train.commands import condition, detect, evaluate, inpaint, interpolate, rebalance, sample
from train.config import source
from train.engine.record import environment, provenance
from train.errors import InputError

ROOT = pathlib.Path(__file__).resolve().parents[3]
BASE = (ROOT / "configs" / "naive_bayes_blobs.py").read_text()
MINE = '''"""Mine."""

from configs.base import experiment as base
from train.experiment import variant

experiment = variant(base, family="naive-bayes")
'''
EDIT = ("spec.num_classes)", "spec.num_classes, variance_floor=1e-8)")


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> pathlib.Path:
    """The working directory has a `configs` of its own, in which everything fails."""
    shadows = tmp_path / "elsewhere" / "configs"
    shadows.mkdir(parents=True)
    for name in ("base", "mine", "naive_bayes_blobs", "wae_mmd_mnist"):
        (shadows / f"{name}.py").write_text(f"raise SystemExit('{name} of the working directory')\n")
    monkeypatch.chdir(shadows.parent)
    monkeypatch.syspath_prepend(str(shadows.parent))
    return shadows.parent


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "configs").mkdir()
    (folder / "configs" / "base.py").write_text(BASE)
    (folder / "configs" / "mine.py").write_text(MINE)
    assert resume(folder, 100) == 0
    return folder


@pytest.fixture
def project(trained: pathlib.Path) -> Iterator[pathlib.Path]:
    """`configs/mine.py`, which imports `configs/base.py`, and its run; as they were before a test changed them."""
    before = {file: file.read_bytes() for file in trained.rglob("*") if file.is_file()}
    yield trained
    shutil.rmtree(trained)
    for file, content in before.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def resume(project: pathlib.Path, steps: int) -> int:
    given = ["--run-dir", str(project / "run"), "--steps", str(steps), "--devices", "1", "--features", "none"]
    return call(str(project / "configs" / "mine.py"), *given)


def edit(project: pathlib.Path) -> pathlib.Path:
    file = project / "configs" / "base.py"
    assert EDIT[0] in BASE
    file.write_text(BASE.replace(*EDIT))
    return file


def test_a_run_keeps_the_config_and_what_it_imports(project):
    (session,) = json.loads((project / "run" / "provenance.json").read_text())

    assert list(session["source"]) == ["configs/mine.py", "configs/base.py"]
    for name, digest in session["source"].items():
        kept = (project / "run" / "source" / name).read_bytes()
        assert kept == (project / name).read_bytes()
        assert digest == hashlib.sha256(kept).hexdigest()


def test_what_a_config_imports_when_it_is_called_is_kept_too(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "base.py").write_text(BASE)
    (tmp_path / "late.py").write_text("def experiment():\n    from configs import base\n    return base.experiment()\n")
    config = configs.load(str(tmp_path / "late.py"))
    configs.bind(config, [])
    assert source.digests(config.files).keys() == {"late.py", "configs/base.py"}


def test_a_compiled_file_is_not_taken_for_its_source(tmp_path):
    (tmp_path / "configs").mkdir()
    for steps in (111, 222):  # in the same second and of the same length
        (tmp_path / "configs" / "base.py").write_text(BASE.replace("1000", str(steps)))
        (tmp_path / "configs" / "mine.py").write_text(MINE)
        assert configs.bind(configs.load(str(tmp_path / "configs" / "mine.py")), []).experiment.steps == steps
    assert not list(tmp_path.rglob("*.pyc"))


def test_a_resume_names_each_file_that_differs_and_keeps_both_versions(project, capsys):
    edit(project)
    assert resume(project, 200) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(warnings) == 1
    assert "may not end with the same bits" in warnings[0]
    assert warnings[0].endswith("configs/base.py has changed")
    first, second = json.loads((project / "run" / "provenance.json").read_text())
    assert first["source"]["configs/mine.py"] == second["source"]["configs/mine.py"]
    kept = project / "run" / "source" / "configs"
    before = kept / f"base.py.{first['source']['configs/base.py'][:8]}"
    assert (kept / "base.py").read_text() == BASE.replace(*EDIT)
    assert before.read_text() == BASE
    assert {entry.name for entry in kept.iterdir()} == {"mine.py", "base.py", before.name}


def test_a_complete_run_says_that_its_code_was_another(project, capsys):
    assert resume(project, 100) == 0
    assert "warning" not in capsys.readouterr().err
    edit(project)
    assert resume(project, 100) == 0

    said = capsys.readouterr()
    assert "is complete: 100 steps" in said.out
    assert "was trained with other code: configs/base.py has changed" in said.err


@pytest.mark.parametrize("gone", [False, True])
def test_a_reader_stops_where_the_source_differs_and_goes_on_where_it_is_told_to(project, capsys, gone):
    run = project / "run"
    recorded = json.loads((run / "evaluation.json").read_text())["metrics"]
    file = edit(project)
    if gone:
        file.unlink()
    capsys.readouterr()

    assert call("evaluate", str(run)) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"since it was trained, configs/base.py {'is gone' if gone else 'has changed'}; " in said
    assert "expected --config FILE or --trust" in said

    assert call("evaluate", str(run), "--trust", "--features", "none") == 0
    assert json.loads((run / "evaluation.json").read_text())["metrics"] == recorded
    assert not list(run.rglob("*.pyc"))
    if not gone:
        capsys.readouterr()
        given = ["--config", str(project / "configs" / "mine.py")]
        assert call("sample", str(run), *given) == 0
        assert capsys.readouterr().err.endswith("since it was trained, configs/base.py has changed\n")
        file.write_text(BASE)
        assert call("sample", str(run)) == call("sample", str(run), *given) == 0
        assert "warning" not in capsys.readouterr().err


def test_a_config_that_is_gone_stops_a_reader(project, capsys):
    shutil.rmtree(project / "configs")
    assert call("evaluate", str(project / "run")) == 2
    assert "configs/mine.py is gone; expected --config FILE or --trust" in capsys.readouterr().err
    assert call("evaluate", str(project / "run"), "--trust") == 0


def test_what_a_run_keeps_is_trusted_only_as_it_was_recorded(project, capsys):
    edit(project)
    kept = project / "run" / "source" / "configs" / "base.py"
    kept.write_text("raise SystemExit('executed')\n")
    assert call("evaluate", str(project / "run"), "--trust") == 2
    kept.unlink()
    assert call("evaluate", str(project / "run"), "--trust") == 2
    assert capsys.readouterr().err.count("expected a run that keeps the source that it was trained with") == 2


@pytest.mark.parametrize("command", [condition, detect, evaluate, inpaint, interpolate, rebalance, sample])
def test_all_readers_have_both_options(command):
    assert issubclass(command.Options, runs.Reading)
    assert {"config", "trust"} <= set(command.Options.__dataclass_fields__)


def test_a_run_beside_is_refused_by_its_option(project, capsys):
    edit(project)
    with pytest.raises(InputError, match=r"--classifier: .*base.py has changed; expected --trust; "):
        runs.load_beside("--classifier", str(project / "run"), None, (2,), trust=False)
    found = runs.load_beside("--classifier", str(project / "run"), None, (2,), trust=True)
    assert found.trust


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("way", ["absolute", "dots", "link", "beside"])
def test_nothing_in_a_run_is_executed_for_the_asking(project, tmp_path, capsys, way, recorded):
    run = project / "run"
    evil = (tmp_path / "elsewhere" if way == "beside" else run) / "evil.py"
    evil.write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\n{BASE}")
    (tmp_path / "link").symlink_to(run)
    named = {
        "absolute": evil.resolve(),
        "dots": f"configs/../../../..{evil.resolve()}",
        "link": tmp_path / "link" / "evil.py",
        "beside": "/proc/self/cwd/evil.py",
    }[way]
    record = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(record | {"config": str(named)}))
    (session,) = json.loads((run / "provenance.json").read_text())
    digest = hashlib.sha256(evil.read_bytes()).hexdigest()
    session = session | {"source": {"evil.py": digest}} if recorded else {"machinery": {}}
    (run / "provenance.json").write_text(json.dumps([session]))

    assert call("evaluate", str(run)) == 2
    assert "lies in the directory of a run, or leads elsewhere; expected --config FILE" in capsys.readouterr().err
    assert not (tmp_path / "executed").exists()


def test_the_working_directory_shadows_no_config_of_the_checkout(tmp_path):
    file = str(ROOT / "configs" / "wae_gan_mnist.py")
    assert configs.load(file).files["configs/wae_mmd_mnist.py"] == (ROOT / "configs/wae_mmd_mnist.py").read_bytes()
    blobs = str(ROOT / "configs" / "naive_bayes_blobs.py")
    run = tmp_path / "run"
    assert call(blobs, "--run-dir", str(run), "--devices", "1", "--steps", "100", "--features", "none") == 0
    assert json.loads((run / "config.json").read_text())["config"] == "configs/naive_bayes_blobs.py"
    assert call("evaluate", str(run)) == 0


@pytest.fixture
def checkout(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    root = tmp_path / "checkout"
    (root / "configs").mkdir(parents=True)
    (root / "configs" / "base.py").write_text(BASE)
    (root / "library.py").write_text("")
    (root / "docs" / "results").mkdir(parents=True)
    (root / "docs" / "results" / "rows.toml").write_text("")
    git(root, "init", "-q")
    git(root, "add", "library.py", "docs")
    git(root, "-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "-m", "first")
    monkeypatch.setattr(provenance, "ROOT", root)
    monkeypatch.setattr(environment, "ROOT", root)
    return root


def git(root: pathlib.Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True)


def test_commit_changes_and_untracked_files_of_the_checkout(checkout):
    config = configs.load(str(checkout / "configs" / "base.py"))
    clean = provenance.code(config)
    assert clean["untracked"].keys() == {"configs/base.py"}
    assert clean["changes"] is None
    assert provenance.code_differences(clean, provenance.code(config)) == []
    (checkout / "docs" / "results" / "rows.toml").write_text("[[row]]\n")  # as one row's result precedes the next row
    assert provenance.code(config) == clean

    (checkout / "library.py").write_text("a = 1\n")
    changed = provenance.code(config)
    assert changed["commit"] == f"{clean['commit']}+"
    assert provenance.code_differences(clean, changed) == ["uncommitted changes of the checkout differ"]
    (checkout / "library.py").write_text("a = 2\n")
    assert provenance.code_differences(changed, provenance.code(config)) != []

    git(checkout, "-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "-a", "-m", "second")
    (line,) = provenance.code_differences(clean, provenance.code(config))
    assert line.startswith(f"commit was {clean['commit']} and is now ")


def test_a_run_keeps_the_patch_of_uncommitted_changes_up_to_a_size(checkout, tmp_path, capsys):
    config = configs.load(str(checkout / "configs" / "base.py"))
    assert environment.files().keys() == {"environment.txt"}
    (checkout / "library.py").write_text("a = 1\n")
    kept = environment.files()
    assert hashlib.sha256(kept["source.patch"]).hexdigest() == provenance.code(config)["changes"]

    git(checkout, "checkout", "-q", "library.py")
    (tmp_path / "source.patch").write_bytes(kept["source.patch"])
    git(checkout, "apply", str(tmp_path / "source.patch"))
    assert (checkout / "library.py").read_text() == "a = 1\n"

    (checkout / "library.py").write_text("a = 1\n" * 200_000)
    assert environment.files().keys() == {"environment.txt"}
    assert "are not kept; expected at most 1048576" in capsys.readouterr().err


def test_the_environment_is_all_that_is_installed():
    lines = environment.distributions()
    assert lines == sorted(set(lines))
    for name in ("jax", "orbax-checkpoint", "numpy"):
        assert f"{name}=={importlib.metadata.version(name)}" in lines
    assert not [line for line in lines if "/" in line or "@" in line]


def test_another_cpu_is_a_difference_and_one_that_was_not_recorded_is_none():
    before, now = ({"machinery": {"cpu": cpu, "jax": "1"}} for cpu in ("one", "other"))
    assert provenance.differences(before, {**now, "commit": None}) == ["cpu was one and is now other"]
    assert provenance.differences({"machinery": {"jax": "1"}}, {**now, "commit": None}) == []


def test_an_untracked_file_that_is_imported_is_named_once(checkout, monkeypatch):
    (checkout / "mine_untracked.py").write_text("")
    (checkout / "other_untracked.py").write_text("")
    config = configs.load(str(checkout / "configs" / "base.py"))
    before = provenance.code(config)
    monkeypatch.syspath_prepend(str(checkout))
    import mine_untracked  # noqa: F401

    now = provenance.code(config)
    assert now["untracked"].keys() == {"configs/base.py", "mine_untracked.py"}
    assert provenance.code_differences(before, now) == ["mine_untracked.py is new, and git does not track it"]
    (checkout / "mine_untracked.py").write_text("a = 1\n")
    (checkout / "configs" / "base.py").write_text(BASE.replace(*EDIT))
    later = provenance.code(configs.load(str(checkout / "configs" / "base.py")))
    assert provenance.code_differences(now, later) == [
        "configs/base.py has changed",
        "mine_untracked.py has changed, and git does not track it",
    ]
