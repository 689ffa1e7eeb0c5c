"""Pictures that commands add to the report of a run."""

import pathlib
from typing import TypedDict

from train.engine import files
from train.errors import InputError
from train.runs import Run


class _Added(TypedDict):
    """figures/added.json: the step of the models, and (file, caption) of each picture."""

    step: int | list[int]
    pictures: dict[str, tuple[str, str]]


def place(run: Run, name: str) -> pathlib.Path:
    """Where the picture of this name belongs, in a folder that is made."""
    folder = run.path / "figures"
    folder.mkdir(exist_ok=True)
    return folder / f"{name}.png"


def add(run: Run, name: str, file: str, caption: str) -> None:
    """Add the picture `file` to the report under this name, until the run is trained further."""
    added = {"step": run.step, "pictures": read(run) | {name: (file, caption)}}
    files.write_json(run.path / "figures" / "added.json", added)


def read(run: Run) -> dict[str, tuple[str, str]]:
    """Added pictures of the current model: (file, caption) by name."""
    try:
        added = files.read_json(run.path / "figures" / "added.json", _Added, "the pictures of commands")
    except InputError:
        return {}
    folder = run.path.resolve() / "figures"

    def is_own(file: str) -> bool:
        """Whether it is a picture of this run: the report shall hold no other file of whoever makes it."""
        path = (run.path / file).resolve()
        return path.is_relative_to(folder) and path.suffix == ".png" and path.is_file()

    pictures = added["pictures"] if added["step"] == run.step else {}
    return {name: (file, caption) for name, (file, caption) in pictures.items() if is_own(file)}
