"""TensorBoard events, written where they arise: tensorboardX's own SummaryWriter writes from a thread.

On a full disk that thread dies with a traceback, and the run that goes on waits for it for ever.
"""

import contextlib
import io
import pathlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from train.errors import RunFailedError


class Events:
    """The events of one session in a folder; RunFailedError where they cannot be written."""

    def __init__(self, folder: pathlib.Path, first_step: int) -> None:
        """Begin a file, from whose first step on older files no longer count."""
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto import event_pb2, summary_pb2

        self._folder, self._event, self._summary = folder, event_pb2.Event, summary_pb2.Summary
        with self._named():
            folder.mkdir(exist_ok=True)
            self._writer = EventsWriter(str(folder / "events"))
            self._write(first_step, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Add values by name."""
        parts = [self._summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        with self._named():
            self._write(step, summary=self._summary(value=parts))

    def add_image(self, step: int, name: str, pixels: np.ndarray) -> None:
        """Add an image, uint8 [H, W] or [H, W, 3]."""
        from PIL import Image

        content = io.BytesIO()
        Image.fromarray(pixels).save(content, format="png")
        height, width = pixels.shape[:2]
        colours = 1 if pixels.ndim == 2 else 3
        image = self._summary.Image(
            height=height, width=width, colorspace=colours, encoded_image_string=content.getvalue()
        )
        with self._named():
            self._write(step, summary=self._summary(value=[self._summary.Value(tag=name, image=image)]))

    def flush(self) -> None:
        """Let who watches see what there is."""
        with self._named():
            self._writer.flush()

    def close(self) -> None:
        """Close the file; for want of room its end may be lost, which ends no run that has come this far."""
        with contextlib.suppress(OSError):
            self._writer.close()

    def _write(self, step: int, **content: Any) -> None:
        self._writer.write_event(self._event(wall_time=time.time(), step=step, **content))

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunFailedError(f"{self._folder} could not be written: {error.strerror}") from error
