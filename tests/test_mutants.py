"""The mutants fit the code and its tests, and the tool tells killed ones from survivors and broken ones."""

import re

import mutants
import pytest

MUTANTS = mutants.read(mutants.ROOT / "tests/mutants.toml")


def test_each_fits_the_code_and_names_tests():
    for mutant in MUTANTS:
        original = (mutants.ROOT / mutant.file).read_text()
        assert mutant.apply(original) != original, mutant.name
        assert mutant.tests, mutant.name
        for test in mutant.tests:
            path, *function = test.partition("[")[0].split("::")
            assert f"def {''.join(function) or 'test_'}" in (mutants.ROOT / path).read_text(), (mutant.name, test)


def test_there_are_enough_and_each_has_a_name_of_its_own():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 60
    assert sum(not mutant.survives for mutant in MUTANTS) >= mutants.REQUIRED * len(MUTANTS)


@pytest.fixture
def root(tmp_path):
    """A library of one function and its test, which 2 * 2 passes too."""
    for path, text in (
        ("jaxgen/sums.py", "def add(a, b):\n    return a + b\n"),
        ("tests/test_sums.py", "from jaxgen.sums import add\n\n\ndef test_two():\n    assert add(2, 2) == 4\n"),
    ):
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_text(text)
    return tmp_path


def replacing(pattern, replacement):
    return mutants.Mutant(replacement, "jaxgen/sums.py", pattern, replacement, ["tests/test_sums.py::test_two"])


def test_killed_surviving_and_broken_mutants(root, capsys):
    changes = {"a - b": "a + b", "a * b": "a + b", "a + c": "a + b", "def plus": "def add", "0": "a +  b"}
    found = mutants.run([replacing(pattern, replacement) for replacement, pattern in changes.items()], root)

    assert found == 1
    said = [line for line in capsys.readouterr().out.splitlines() if re.match("killed|survived|error|1 of", line)]
    assert [line.partition(" (")[0] for line in said] == [
        "killed    a - b",
        "survived  a * b: unexplained",
        "error     a + c: its tests cannot run",
        "error     def plus: its tests cannot run",
        "error     0: its pattern occurs 0 times in jaxgen/sums.py",
        "1 of 5 mutants killed",
    ]
    assert (root / "jaxgen/sums.py").read_text().endswith("a + b\n")


@pytest.mark.parametrize(("survivors", "code"), [(1, 0), (2, 1)])
def test_of_twenty_mutants_one_may_survive(root, monkeypatch, survivors, code):
    outcomes = iter([True] + [True] * survivors + [False] * (20 - survivors))  # the first is that of no mutant
    monkeypatch.setattr(mutants, "passes", lambda tree, tests: next(outcomes))
    assert mutants.run([replacing("a + b", "a - b")] * 20, root) == code


def test_tests_that_fail_anyway_kill_nothing(root, monkeypatch):
    monkeypatch.setattr(mutants, "passes", lambda tree, tests: False)
    with pytest.raises(SystemExit, match="the tests fail without a mutant"):
        mutants.run([replacing("a + b", "a - b")], root)
