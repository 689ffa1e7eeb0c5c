"""The recorded environments can be given to pip anywhere, and are those that the project asks for."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "constraints").glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_names_versions_alone(file):
    lines = file.read_text().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.!+]+", line) for line in lines)  # no path, address or option
    names = [re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in lines]
    assert len(set(names)) == len(names)
    assert {"jax", "jaxlib", "flax", "optax", "chex", "numpy", "orbax-checkpoint"} <= set(names)
    assert "jaxgen" not in names


def test_there_is_one_for_each_python_of_the_results():
    assert [file.name for file in FILES] == ["python3.11.txt", "python3.13.txt"]
