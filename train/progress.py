"""What a person sees while a run goes on."""

import contextlib
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)


@contextlib.contextmanager
def progress_bar(first: int, last: int) -> Iterator[Callable[[int, Mapping[str, np.ndarray]], None]]:
    """A bar with the loss; what validation gives becomes a line above it, which a log file keeps too."""
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("loss {task.fields[loss]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("training", total=last, completed=first, loss="-")

        def show(step: int, metrics: Mapping[str, np.ndarray]) -> None:
            if "loss" in metrics:
                progress.update(task, completed=step, loss=f"{np.mean(metrics['loss']):.4g}")
            else:
                said = "  ".join(f"{name} {np.mean(value):.4g}" for name, value in metrics.items())
                progress.console.print(f"step {step}  {said}")

        yield show
