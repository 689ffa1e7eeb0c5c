"""metrics.jsonl, a line for each compiled call and each evaluation, and TensorBoard events where the extra is there."""

import collections
import contextlib
import importlib.util
import itertools
import json
import pathlib
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np

from train.engine.files import parse, refuse_links, write_text
from train.engine.record.events import Events
from train.errors import RunFailedError, warn
from train.experiment import Count, fits

_Value = float | None | list[float | None]  # a metric; of several seeds one each


def read(path: pathlib.Path) -> list[dict]:
    """The lines of metrics.jsonl, in order, but those that are damaged or were cut short."""
    lines = []
    for line in path.read_text(errors="replace").split("\n")[:-1] if path.is_file() else []:
        with contextlib.suppress(ValueError):
            lines.append(parse(line, dict[str, _Value]))
    lines = [line for line in lines if fits(line.get("step"), Count)]
    # Where one line alone has another number of seeds, it is that line that is damaged.
    usual = collections.Counter(map(_seeds, lines)).most_common(1)
    return [line for line in lines if _seeds(line) == usual[0][0]]


def _seeds(line: Mapping[str, Any]) -> frozenset[int | None]:
    """The lengths of a line's metrics, None for a number: one and the same of them all."""
    return frozenset(
        len(value) if isinstance(value, list) else None
        for name, value in line.items()
        if name not in ("step", "seconds")
    )


def is_of_call(line: Mapping[str, Any]) -> bool:
    """Whether a line is that of a compiled call, and not of an evaluation."""
    return any(not name.startswith("valid_") for name in line.keys() - {"step", "seconds"})


def _text(lines: list[dict]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


def _warn_of_damage(
    path: pathlib.Path, before: list[dict], kept: list[dict], first_step: int, longest: int, digest: int | None
) -> None:
    """Warn where steps lie further apart than the longest call, or where log and checkpoint do not go together."""
    if first_step == 0 and before:
        warn(f"{path} reached step {before[-1]['step']}, but no checkpoint did: training starts again")
    steps = sorted({0, first_step} | {line["step"] for line in kept if is_of_call(line)})
    holes = [step for step, later in itertools.pairwise(steps) if later - step > longest]
    if holes or (first_step and not any(line["step"] == first_step for line in kept)):
        after = holes[0] if holes else steps[-2]
        warn(f"{path} lacks lines after step {after}: they were removed or damaged")
    elif digest is not None and digest != zlib.crc32(
        _text([line for line in before if line["step"] <= first_step]).encode()
    ):
        warn(f"{path} is not what was written up to step {first_step}: a line was changed, added or removed")


class NoLog:
    """The log of a process that writes none."""

    digest = None
    shows_samples = False

    def show(self, step: int, x: np.ndarray) -> None:
        """Drop samples."""

    def write(self, step: int, metrics: Mapping[str, np.ndarray], **facts: Any) -> None:
        """Drop a line."""


class MetricsLog:
    """Metrics by step, appended; one that resumes is cut back to the restored step first."""

    def __init__(
        self,
        run_dir: pathlib.Path,
        first_step: int,
        longest_call: int,
        evaluated: Callable[[int], bool],
        digest: int | None,
    ) -> None:
        """Keep what was written up to `first_step`, and append after it; warn where that is not all that was written.

        `digest` is that of the log when the checkpoint of that step was saved, if it is known. A run that was to end
        earlier was evaluated where it ended; that line goes unless this one is `evaluated` there.
        """
        path = run_dir / "metrics.jsonl"
        before = read(path)
        kept = [line for line in before if line["step"] <= first_step and (is_of_call(line) or evaluated(line["step"]))]
        _warn_of_damage(path, before, kept, first_step, longest_call, digest)
        write_text(path, _text(kept))
        self.digest = zlib.crc32(_text(kept).encode())  # of all lines, for a checkpoint
        self._file = open(path, "a", opener=refuse_links)  # noqa: SIM115, closed with the log
        has_tensorboard = importlib.util.find_spec("tensorboardX") is not None
        self._events = Events(run_dir / "tensorboard", first_step + 1) if has_tensorboard else None

    def __enter__(self) -> Self:
        """Log for a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        with contextlib.suppress(OSError):  # each line was flushed, or its failure was said
            self._file.close()
        if self._events:
            self._events.close()

    @property
    def shows_samples(self) -> bool:
        """Whether anything comes of `show`: without TensorBoard events it does not."""
        return self._events is not None

    def show(self, step: int, x: np.ndarray) -> None:
        """Samples [N, H, W, C] in [0, 1], one above the other in columns of four, as an image of the events."""
        if self._events:
            blank = np.zeros((-len(x) % 4, *x.shape[1:]), x.dtype)
            pixels = np.round(255 * np.clip(np.concatenate([x, blank]), 0, 1)).astype(np.uint8)
            columns = [np.concatenate(list(pixels[first : first + 4])) for first in range(0, len(pixels), 4)]
            image = np.concatenate(columns, axis=1)
            self._events.add_image(step, "samples", image[..., 0] if image.shape[-1] == 1 else image)
            self._events.flush()

    def write(self, step: int, metrics: Mapping[str, np.ndarray], **facts: Any) -> None:
        """One line: the step, each metric (of several seeds a list, null where one has none), and further facts."""
        values = {name: np.where(np.isnan(value), np.array(None), value).tolist() for name, value in metrics.items()}
        line = _text([{"step": step, **values, **facts}])
        self.digest = zlib.crc32(line.encode(), self.digest)
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:  # which does not name the file
            raise RunFailedError(f"{self._file.name} could not be written: {error.strerror}") from error
        if self._events:
            self._events.add(step, {name: float(np.nanmean(value)) for name, value in metrics.items()})
            if any(name.startswith("valid_") for name in metrics):
                self._events.flush()
