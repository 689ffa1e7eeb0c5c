"""What representations of several models are worth, against pixels and their principal components.

    python -m train study representations RUN [RUN ...] [--examples 10000]

Each run's features or codes, the pixels, and as many principal components as `--components` are given to the same
simple classifiers: logistic regression, the nearest neighbour, and logistic regression with 10, 100 and 1,000 labels.
The runs must be of the same data with labels.
"""

import dataclasses
import datetime
import time

import jax
import tyro

from train import runs
from train.data import spread
from train.engine import files, run_directory
from train.engine.record import provenance
from train.errors import InputError
from train.evaluation import absence
from train.evaluation.estimates import Estimate, Measured, over_seeds
from train.evaluation.evaluators import probes
from train.evaluation.samples import as_float
from train.evaluation.subject import Extra, Options, Subject
from train.experiment import Size
from train.runs import Run


@dataclasses.dataclass(kw_only=True)
class StudyOptions:
    """Runs, size of the training set and destination."""

    runs: tyro.conf.Positional[tuple[str, ...]]
    """Run directories of models with features or codes."""
    examples: Size = 10_000
    """Training examples of the classifiers, evenly spaced."""
    components: Size = 50
    """Principal components of the pixels."""
    data: str | None = None
    """Where the data lies; None: where training found it."""
    data_dir: str | None = None
    """Directory of data sets by name; None: JAXGEN_DATA, else where `data fetch` writes."""
    trust: bool = False
    """Where a run's config has changed or is gone, execute the source that the run's directory keeps of it."""
    out: str = "runs/representations"
    """Directory of the results."""


def main(arguments: list[str]) -> None:
    """Run the command line."""
    started = time.perf_counter()
    options = runs.bind(StudyOptions, arguments, prog="python -m train study representations", description=__doc__)
    opened = open_inputs(options)
    out = run_directory.make_directory("--out", options.out)
    origin = provenance.origin(["study", "representations", *arguments], jax.local_devices())
    found = measure_pixels(opened[0], options.examples, options.components)
    found |= {run.path.name: measure_run(run, options.examples) for run in opened}
    result = {
        "values": {name: vars(options)[name] for name in ("runs", "examples", "components")},
        "data_fingerprint": opened[0].dataset.fingerprint,
        "configs": {run.path.name: {"config": run.record["config"], "step": run.step} for run in opened},
        "results": {name: {metric: each._asdict() for metric, each in row.items()} for name, row in found.items()},
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "provenance": origin | {"seconds": round(time.perf_counter() - started, 1)},
    }
    print(tabulate(found), end="")
    files.write_json(out / "representations.json", result)
    print(out / "representations.json")


def open_inputs(options: StudyOptions) -> list[Run]:
    """Open the runs; InputError unless all represent examples of the same data, and their names differ."""
    opened = [runs.load(path, options.data_dir, data=options.data, trust=options.trust) for path in options.runs]
    for run in opened:
        if (reason := absence.of_probes(run)) is not None:
            raise InputError(f"{run.path} has {reason}")
        if run.dataset.fingerprint != opened[0].dataset.fingerprint:
            raise InputError(f"{run.path} is of other data than {opened[0].path}")
    names = [run.path.name for run in opened]
    if len({*names, "pixels", "principal components"}) < len(names) + 2:
        raise InputError(f"expected runs of different names, got {', '.join(names)}")
    return opened


def measure_pixels(run: Run, examples: int, components: int) -> dict[str, dict[str, Estimate]]:
    """The accuracies on the raw values and on their principal components, fitted to the training examples."""
    from sklearn.decomposition import PCA

    train = {name: array[spread(len(array), examples)] for name, array in run.dataset.train.items()}
    pixels = [
        probes.Labelled(as_float(part["x"]).reshape(len(part["x"]), -1), part["y"])
        for part in (train, run.dataset.valid, run.dataset.test)
    ]
    probes.check_classes(pixels[0])
    pca = PCA(min(components, *pixels[0].z.shape), random_state=0).fit(pixels[0].z)
    projected = [part._replace(z=pca.transform(part.z)) for part in pixels]
    found = {"pixels": pixels, "principal components": projected}
    return {name: estimate([probes.as_shares(probes.probe(*parts))]) for name, parts in found.items()}


def measure_run(run: Run, examples: int) -> dict[str, Estimate]:
    """The accuracies on the representation of each seed."""
    options = Options(num_samples=1, references=None, extra=Extra(probes=examples))
    seeds = zip(run.models, run.keys, strict=True)
    return estimate([probes.measure(Subject(run, model, keys, options)) for model, keys in seeds])


def estimate(seeds: list[dict[str, Measured]]) -> dict[str, Estimate]:
    """Each accuracy with its interval, over test examples or over seeds."""
    return {name: over_seeds([seed[name] for seed in seeds]) for name in seeds[0]}


def tabulate(found: dict[str, dict[str, Estimate]]) -> str:
    """A Markdown table: a representation a row, a classifier a column."""
    names = list(dict.fromkeys(name for row in found.values() for name in row))
    lines = [f"| representation | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
    for name, row in found.items():
        cells = [
            f"{row[metric].value:.4f} [{row[metric].low:.4f}, {row[metric].high:.4f}]" if metric in row else "-"
            for metric in names
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
