"""The source of a config: the files that make it up, how they are executed, and how two versions of them differ."""

import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import pathlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Executed(NamedTuple):
    """An executed config file."""

    names: dict[str, Any]  # what it defines
    files: dict[str, bytes]  # by the names under which a run keeps them: the config itself, then what it imports


def execute(file: pathlib.Path) -> Executed:
    """Execute a config file, with its own `configs` to import from (`folders`); raises whatever the file raises."""
    name = kept_name(file)
    files = {name: file.read_bytes()}
    # Of the config that was executed before, nothing may be left: it may have had other folders.
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    for imported in [imported for imported in sys.modules if imported.partition(".")[0] == "configs"]:
        del sys.modules[imported]
    sys.meta_path.insert(0, _Finder(folders(file), files))
    module = ModuleType("<config>")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module  # where a dataclass looks for the names in its annotations
    try:
        exec(compile(files[name], str(file), "exec", dont_inherit=True), vars(module))
    finally:
        del sys.modules[module.__name__]
    return Executed(vars(module), files)


def kept_name(file: pathlib.Path) -> str:
    """The name under which a run keeps a config file: that by which another config would import it, if any could."""
    return f"configs/{file.name}" if file.parent.name == "configs" else file.name


def folders(file: pathlib.Path) -> list[pathlib.Path]:
    """Where a config file finds what it imports from `configs`: in that folder of its own, then in the checkout's.

    Its own is the folder that it lies in, or one beside it. The working directory does not count.
    """
    own = file.parent if file.parent.name == "configs" else file.parent / "configs"
    return list(dict.fromkeys((own, ROOT / "configs")))


def present(file: pathlib.Path, names: Iterable[str]) -> dict[str, bytes]:
    """The files of these names (`kept_name`) of a config, as they are now, without executing anything."""
    found = {}
    for name in names:
        candidates = [folder.parent / name for folder in folders(file)] if name.startswith("configs/") else []
        for candidate in [file] if name == kept_name(file) else candidates:
            if candidate.is_file():
                found[name] = candidate.read_bytes()
                break
    return found


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """The SHA-256 of each file."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """How the files of these digests differ, a line each."""
    changes = {(True, True): "has changed", (True, False): "is gone", (False, True): "is new"}
    return [
        f"{name} {changes[name in before, name in now]}"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    ]


class _Finder(importlib.abc.MetaPathFinder):
    """Finds modules of `configs` in the folders of one config, and adds them to its files."""

    def __init__(self, folders: Sequence[pathlib.Path], files: dict[str, bytes]) -> None:
        self._folders, self._files = folders, files

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The first of the folders decides."""
        package, *parts = fullname.split(".")
        if package != "configs":
            return None
        for base in (folder.joinpath(*parts) for folder in self._folders):
            for file, inside in ((base.parent / f"{base.name}.py", None), (base / "__init__.py", [])):
                if parts and file.is_file():
                    name = "/".join(("configs", *file.parts[len(base.parts) - len(parts) :]))
                    loader = _Loader(fullname, str(file), name, self._files)
                    return importlib.util.spec_from_file_location(
                        fullname, file, loader=loader, submodule_search_locations=inside
                    )
        is_folder = any(folder.joinpath(*parts).is_dir() for folder in self._folders)
        return importlib.machinery.ModuleSpec(fullname, None, is_package=True) if is_folder else None


class _Loader(importlib.machinery.SourceFileLoader):
    """Executes a module from its source and keeps what was read; a compiled file is neither read nor written."""

    def __init__(self, fullname: str, path: str, name: str, files: dict[str, bytes]) -> None:
        super().__init__(fullname, path)
        self._name, self._files = name, files

    def path_stats(self, path: str) -> Mapping[str, Any]:  # type: ignore[override]
        """Fail, so that no compiled file counts as up to date: its time stamp has whole seconds."""
        raise OSError

    def get_data(self, path: str) -> bytes:  # type: ignore[override]
        """The file, which is kept."""
        self._files[self._name] = content = super().get_data(path)
        return content
