"""Settings of JAX and the environment: recorded whole, named where they change bits, and part of a cache's key."""

import json

import jax
import pytest

from train import config as configs
from train.__main__ import main
from train.engine.record import settings
from train.evaluation.features import classifier

# What changes bits, and what does not; each by a name that JAX has.
CHANGES = {"jax_default_matmul_precision": "highest", "jax_threefry_partitionable": False, "jax_random_seed_offset": 1}
KEEPS = {
    "jax_log_compiles": True, "jax_debug_nans": True, "jax_explain_cache_misses": True,
    "jax_traceback_filtering": "off", "jax_compilation_cache_max_size": 10, "jax_enable_checks": True,
    "jax_transfer_guard": "log", "jax_dump_ir_modes": "jaxpr",
}  # fmt: skip


@pytest.fixture
def configure(monkeypatch):
    before = {name: jax.config.values[name] for name in (*CHANGES, *KEEPS)}
    yield lambda name, value: jax.config.update(name, value)
    for name, value in before.items():
        jax.config.update(name, value)


def warnings(capsys) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if "may not end with the same bits" in line]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    for name in ("OMP_NUM_THREADS", "XLA_PYTHON_CLIENT_ALLOCATOR"):
        monkeypatch.delenv(name, raising=False)

    def resume(steps: int) -> list[str]:
        given = ["--run-dir", str(tmp_path / "run"), "--devices", "1", "--features", "none", "--steps", str(steps)]
        main(["naive_bayes_blobs", *given])
        return warnings(capsys)

    assert resume(100) == []
    return resume


def test_all_are_recorded_and_each_that_changes_bits_is_a_line_at_a_resume(run, configure, monkeypatch, tmp_path):
    for name in (*CHANGES, "jax_debug_nans"):
        configure(name, {**CHANGES, **KEEPS}[name])
    variables = {"OMP_NUM_THREADS": "3", "XLA_PYTHON_CLIENT_ALLOCATOR": "platform", "JAX_MADE_UP": "1"}
    for name, value in {**variables, "JAX_LOG_COMPILES": "1", "UNRELATED": "1"}.items():
        monkeypatch.setenv(name, value)
    lines = run(200)

    assert len(lines) == len(CHANGES) + len(variables)
    assert any(line.endswith("jax_default_matmul_precision was not set and is now highest") for line in lines)
    assert any(line.endswith("OMP_NUM_THREADS was not set and is now 3") for line in lines)
    first, second = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert first["jax_config"].keys() == second["jax_config"].keys() == jax.config.values.keys()
    assert second["jax_config"]["jax_threefry_partitionable"] is False
    assert variables.items() <= second["environment"].items()
    assert "UNRELATED" not in second["environment"]
    assert "environment" not in json.loads((tmp_path / "run" / "evaluation.json").read_text())["provenance"]
    assert run(300) == []


@pytest.mark.parametrize("name", [*CHANGES, *KEEPS])
def test_what_has_an_effect(configure, name):
    before = settings.read()
    configure(name, {**CHANGES, **KEEPS}[name])
    assert len(settings.differences(before, settings.read())) == (name in CHANGES)


def test_a_setting_that_a_version_lacks_is_no_difference():
    now = {"jax_config": {"jax_enable_x64": False, "jax_new": 1}, "environment": {}}
    before = {"jax_config": {"jax_enable_x64": True, "jax_old": 2}, "environment": {"NPROC": "2"}}
    lines = ["NPROC was 2 and is now not set", "jax_enable_x64 was True and is now False"]
    assert settings.differences(before, now) == lines


def test_the_feature_classifier_is_kept_by_its_code_and_by_the_settings_that_change_bits(configure, tmp_path):
    config = configs.load("classifier_mnist")
    usual = classifier.find_kept(config, "data")
    configure("jax_explain_cache_misses", KEEPS["jax_explain_cache_misses"])
    assert classifier.find_kept(config, "data") == usual
    others = [classifier.find_kept(config, "other"), classifier.find_kept(config._replace(files={"a": b""}), "data")]
    configure("jax_default_matmul_precision", "highest")
    assert len({usual, *others, classifier.find_kept(config, "data")}) == 4


@pytest.mark.parametrize("generator", ["rbg", "unsafe_rbg"])
def test_a_generator_whose_noise_does_not_belong_to_examples_is_refused(run, generator, capsys, tmp_path):
    given = ["--run-dir", str(tmp_path / "other"), "--devices", "1"]
    for command in (["naive_bayes_blobs", *given], ["evaluate", str(tmp_path / "run")]):
        with jax.default_prng_impl(generator), pytest.raises(SystemExit) as stop:
            main(command)
        said = capsys.readouterr().err
        assert stop.value.code == 2
        assert said.startswith(f"error: JAX_DEFAULT_PRNG_IMPL={generator}: expected threefry2x32")
        assert said.count("\n") == 1
    assert not (tmp_path / "other").exists()


def test_noise_under_rbg_depends_on_the_batch_which_is_why():
    def draw(num: int) -> jax.Array:
        keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(0, impl="rbg"), jax.numpy.arange(4)[4 - num :])
        return jax.vmap(jax.random.uniform)(keys)[-1]

    assert draw(1) != draw(4)
