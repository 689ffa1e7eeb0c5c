"""Arrays of .npz files, whose declared sizes are held against the memory there is before any is read."""

import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from train.data.dataset import Arrays
from train.errors import InputError, first_line

_EXPECTED = "expected an .npz file of plain arrays, as numpy.savez writes it"
_CGROUP = Path("/sys/fs/cgroup")


def read_npz(path: Path, names: Iterable[str]) -> Arrays:
    """Read the named arrays that a file has; its other arrays are ignored. InputError where it cannot be read."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # opening a pipe would wait for a writer
            raise InputError(f"{path}: is no regular file; {_EXPECTED}")
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise InputError(f"{path}: is no .npz file, or a truncated one; {_EXPECTED}")
            with zipfile.ZipFile(file) as archive:
                sizes = _declared_sizes(archive, names)
            check_memory(path, sizes)
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                return {name: np.asarray(arrays[name]) for name in sizes}
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; {_EXPECTED}") from error
    except Exception as error:  # zipfile, zlib and numpy raise different errors for damaged files
        raise InputError(f"{path}: cannot be read ({first_line(error)}); {_EXPECTED}") from error


def check_memory(path: Path, sizes: Mapping[str, int]) -> None:
    """InputError where arrays of these sizes in bytes do not fit into the memory that is free."""
    needed, free = sum(sizes.values()), free_memory()
    if needed > free:
        largest = max(sizes, key=lambda name: sizes[name])
        raise InputError(
            f"{path}: its arrays, the largest of them {largest}, take {needed / 1e9:.1f} GB; "
            f"expected at most the {free / 1e9:.1f} GB that are free"
        )


def free_memory() -> int:
    """Bytes that this process may still take: of the machine, and of its control group where there is one."""
    free = [os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():  # counts the page cache, which gives way
        fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
        free = [int(fields["MemAvailable"].split()[0]) * 1024]
    for folder, limit, used in (
        (_CGROUP, "memory.max", "memory.current"),
        (_CGROUP / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        if (folder / limit).exists() and (most := (folder / limit).read_text().strip()) != "max":
            # Its use counts the page cache, of which what is inactive gives way.
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            cache = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
            free.append(int(most) - int((folder / used).read_text()) + cache)
    return max(0, min(free))


def _declared_sizes(archive: zipfile.ZipFile, names: Iterable[str]) -> dict[str, int]:
    """Bytes of each named array that the archive has, from its header alone."""
    members, sizes = set(archive.namelist()), {}
    for name in names:
        for member in (f"{name}.npy", name):
            if member in members:
                with archive.open(member) as file:
                    version = np.lib.format.read_magic(file)
                    header = (
                        np.lib.format.read_array_header_1_0
                        if version == (1, 0)
                        else np.lib.format.read_array_header_2_0
                    )
                    shape, _, dtype = header(file)
                sizes[name] = int(np.prod([int(length) for length in shape], dtype=object)) * dtype.itemsize
                break
    return sizes
