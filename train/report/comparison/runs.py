"""Compare evaluated runs: metrics, settings that differ, paired differences; read from what their evaluations wrote."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from train.engine import run_directory
from train.errors import InputError, first_line, warn
from train.evaluation import estimates
from train.evaluation.absence import NOT_MEASURED
from train.evaluation.estimates import UNITS, Estimate

#: Metrics whose nats depend on the units of x, and on whether p is a mass or a density.
LOG_LIKELIHOODS = ("negative_elbo", "reconstruction", "nll", "importance_weighted_nll", "annealed_nll", "marginal_nll")


# Metrics, by how their names begin, that are bounds, and the number in evaluation.json on which their tightness hangs.
_TIGHTNESS = {"importance_weighted": "num_samples", "annealed": "annealed_steps"}


class Evaluated(NamedTuple):
    """An evaluated run."""

    path: pathlib.Path
    record: Mapping[str, Any]  # config.json
    evaluation: Mapping[str, Any]  # evaluation.json

    @property
    def found(self) -> dict[str, Estimate]:
        """Metrics, then costs, by name."""
        return {**self.evaluation["metrics"], **self.evaluation["costs"]}

    def get(self, name: str) -> Estimate | str:
        """A metric or cost, or why the run has none."""
        return self.found.get(name, self.evaluation.get("absent", {}).get(name, NOT_MEASURED))

    @property
    def seeds(self) -> list[int]:
        """The seeds, in the order of `Estimate.seeds`."""
        first = self.record["values"].get("seed", 0)
        return list(range(first, first + self.record["values"].get("seeds", 1)))

    @property
    def steps(self) -> tuple[int, int | None]:
        """(optimizer steps that it took, those of its config); None for an evaluation that does not say."""
        taken = self.evaluation.get("trained", self.evaluation.get("step"))
        asked = [self.evaluation.get(name) for name in ("config_steps", "steps")]
        return taken, max((steps for steps in asked if steps is not None), default=None)


class Comparison(NamedTuple):
    """Runs side by side; lists have an entry for each run."""

    runs: list[Evaluated]
    labels: list[str]
    columns: list[str]  # names of metrics and costs
    settings: list[dict[str, Any]]  # hyper-parameters that are not the same in all runs
    differences: list[dict[str, Estimate | str]]  # of metrics to those of the first run, or why there is none


def compare(paths: Sequence[str], wanted: Sequence[str] = (), reference: str | None = None) -> Comparison:
    """Compare the runs at these paths, each a run or a folder of runs, by all metrics and costs or by those wanted.

    The first run is the one that `reference` names, by its label or its path, if any.
    """
    runs = find(paths)
    if reference is not None:
        named = [run for run, name in zip(runs, label(runs), strict=True) if name == reference]
        named += [run for run in runs if run.path.resolve() == pathlib.Path(reference).resolve()]
        if not named:
            raise InputError(f"--reference {reference}: expected one of the runs, {', '.join(label(runs))}")
        runs.sort(key=lambda run: run is not named[0])
    columns = choose_columns(runs, wanted)
    metrics = [name for name in columns if any(name in run.evaluation["metrics"] for run in runs)]
    differences = [{name: difference(run, runs[0], name) for name in metrics} for run in runs]
    return Comparison(runs, label(runs), columns, differing_settings(runs), differences)


def find(paths: Sequence[str]) -> list[Evaluated]:
    """The evaluated runs at these paths, each a run or a folder of runs; InputError where there are none."""
    found: dict[pathlib.Path, Evaluated] = {}
    for given in map(pathlib.Path, paths):
        is_folder = given.is_dir() and not (given / "config.json").exists()
        for path in find_evaluated(given) if is_folder else [given]:
            found[path.resolve()] = read(path)
    return list(found.values())


def find_evaluated(folder: pathlib.Path) -> list[pathlib.Path]:
    """The evaluated runs in a folder, with a warning for each of the others; InputError where there are none."""
    runs = sorted(config.parent for config in folder.glob("*/config.json"))
    if not runs:
        raise InputError(f"{folder}: expected a run, or a folder of runs; it holds none")
    evaluated = [path for path in runs if (path / "evaluation.json").exists()]
    if not evaluated:
        raise InputError(f"{folder}: expected evaluated runs; `python -m train evaluate {runs[0]}` evaluates one")
    for path in runs:
        if path not in evaluated:
            warn(f"{path} is left out; `python -m train evaluate {path}` evaluates it")
    return evaluated


def read(path: pathlib.Path) -> Evaluated:
    """An evaluated run; InputError where it is none."""
    record = run_directory.read_config(path)
    if not (path / "evaluation.json").exists():
        raise InputError(f"{path} has no evaluation.json; expected a run after `python -m train evaluate {path}`")
    return Evaluated(path, record, estimates.read_evaluation(path))


def label(runs: Sequence[Evaluated]) -> list[str]:
    """The name of each run's directory, or its whole path where two are called the same."""
    names = [run.path.resolve().name for run in runs]
    return [name if names.count(name) == 1 else str(run.path) for name, run in zip(names, runs, strict=True)]


def choose_columns(runs: Sequence[Evaluated], wanted: Sequence[str]) -> list[str]:
    """Names of what was measured on any run, in the order of printing; InputError unless two runs have one in common.

    `wanted` chooses among them; InputError for one that no run has.
    """
    rank = {name: number for number, name in enumerate(UNITS)}
    metrics = list(dict.fromkeys(name for run in runs for name in run.evaluation["metrics"]))
    metrics.sort(key=lambda name: rank.get(name, len(rank)))
    costs = dict.fromkeys(name for run in runs for name in run.evaluation["costs"])
    unknown = [name for name in wanted if name not in metrics and name not in costs]
    if unknown:
        raise InputError(f"--metrics {unknown[0]}: expected one of {', '.join([*metrics, *costs])}")
    if len(runs) > 1 and not any(sum(name in run.evaluation["metrics"] for run in runs) > 1 for name in metrics):
        raise InputError("expected runs with a metric in common; `python -m train evaluate RUN --features x` adds some")
    return list(wanted) or [*metrics, *costs]


def differing_settings(runs: Sequence[Evaluated]) -> list[dict[str, Any]]:
    """Of each run, the config and the hyper-parameters whose values differ between the runs that have them."""
    settings = [{"config": pathlib.Path(run.record["config"]).stem, **run.record["values"]} for run in runs]
    values: dict[str, list[Any]] = {}
    for each in settings:
        for name, value in each.items():
            values.setdefault(name, []).append(value)
    differ = {name for name, found in values.items() if any(value != found[0] for value in found)}
    return [{name: value for name, value in each.items() if name in differ} for each in settings]


def difference(run: Evaluated, reference: Evaluated, name: str) -> Estimate | str:
    """A metric of a run minus that of the reference, paired by seed, or by example where they share one seed.

    Seeds that both runs have are paired: they see the same noise in the same test examples. A reason where there is no
    such difference.
    """
    one, other = run.get(name), reference.get(name)
    if isinstance(one, str) or isinstance(other, str):
        return one if isinstance(one, str) else str(other)
    if run.record["data_fingerprint"] != reference.record["data_fingerprint"]:
        return "other data"
    if one.unit != other.unit:
        return "other unit"
    if name in LOG_LIKELIHOODS and len(likelihoods([run, reference])) > 1:
        return "another likelihood"
    if any(
        name.startswith(kind) and run.evaluation.get(effort) != reference.evaluation.get(effort)
        for kind, effort in _TIGHTNESS.items()
    ):
        return "bounds of other tightness"
    if name.endswith("p_value"):
        return "p-values have no mean"
    pairs = [(run.seeds.index(seed), reference.seeds.index(seed)) for seed in run.seeds if seed in reference.seeds]
    if not pairs:
        return "no common seed"
    found = estimates.estimate(one.unit, _paired(run, reference, name, pairs))
    return found._replace(interval=f"paired, {found.interval}")


def likelihoods(runs: Sequence[Evaluated]) -> list[str]:
    """The kinds of log p(x) of these runs, whose nats are not comparable, such as a density and a mass."""
    kinds = [run.evaluation.get("log_prob_of") for run in runs]  # None without one, and in older evaluations
    return list(dict.fromkeys(kind for kind in kinds if kind is not None))


def _paired(run: Evaluated, reference: Evaluated, name: str, pairs: list[tuple[int, int]]) -> list[np.ndarray]:
    """Differences of each pair of seeds: of its means [1], or of its examples [N] where it is the only pair."""
    if len(pairs) == 1:
        (i, j), ours, theirs = pairs[0], _read_examples(run.path, name), _read_examples(reference.path, name)
        if ours is not None and theirs is not None and ours[i].shape == theirs[j].shape:
            return [ours[i] - theirs[j]]
    ours, theirs = (np.array(each.found[name].seeds, float) for each in (run, reference))  # None is nan
    return [np.array([ours[i] - theirs[j]]) for i, j in pairs]


def _read_examples(path: pathlib.Path, name: str) -> np.ndarray | None:
    """Values of each seed and example [S, N], None where the evaluation kept none."""
    try:
        with np.load(path / "evaluation.npz", allow_pickle=False) as file:
            return file[name].astype(np.float64)
    except (OSError, KeyError):
        return None
    except Exception as error:  # zipfile, zlib and numpy raise different errors for damaged files
        warn(f"{path / 'evaluation.npz'} is damaged: differences are without examples ({first_line(error)})")
        return None
