"""Export a trained model to one file that runs without training code, recipes or Flax.

    python -m train export RUN FILE

FILE is a zip that `jaxgen.exported.load` reads, in a process with jax, numpy and flatbuffers alone: functions for
sampling, decoding, encoding and log p(x), as the family has them, and for the preparation of data; for cpu, cuda and
tpu, and any number of examples. jax reads files of its own version and of older ones. With several seeds the first
seed's model is written.
"""

import dataclasses
import importlib.util
import pathlib

import jax
import jax.numpy as jnp
import tyro

import jaxgen
from jaxgen import exported
from train import runs
from train.engine import files
from train.errors import InputError
from train.experiment import Size
from train.report import results
from train.runs import Run


@dataclasses.dataclass(kw_only=True)
class Options(runs.Reading):
    """Which run, and where its model goes."""

    file: tyro.conf.Positional[pathlib.Path]
    """The file to write, such as model.zip."""
    num_samples: Size = 64
    """Samples of the codes of an example for a lower bound on log p(x)."""


def export(run: Run, num_samples: int) -> bytes:
    """The content of the file; InputError for a family without any of the functions."""
    recipe, prepare = run.recipe, run.prepare
    if not (recipe.sample or recipe.encode or recipe.decode or recipe.log_prob):
        raise InputError(f"{run.path}: expected a run of a family that samples, encodes, decodes or has log p(x)")
    stored = run.dataset.train["x"]
    x, y = jax.ShapeDtypeStruct(stored.shape[1:], stored.dtype), jax.ShapeDtypeStruct((), jnp.int32)
    if prepare.condition is not None:
        y = jax.eval_shape(prepare.condition, jax.random.key(0), x)
    facts = {
        "jaxgen": jaxgen.__version__,
        "config": run.record["config"],
        "values": {name: value for name, value in run.record["values"].items() if name != "data"},
        "data": run.dataset.source.rpartition("/")[2],  # the file goes elsewhere, where no path means anything
        "data_fingerprint": run.record["data_fingerprint"],
        "step": run.step,
        "selected_by": run.selected_by,
    }
    return exported.dump(
        recipe, run.models[0], {"x": x, "y": y}, prepare=prepare, num_samples=num_samples, facts=results.plain(facts)
    )


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = runs.bind(Options, arguments, prog="python -m train export", description=__doc__)
    if not options.file.parent.is_dir() or options.file.is_dir():
        raise InputError(f"{options.file}: expected a file in an existing directory")
    if importlib.util.find_spec("flatbuffers") is None:
        raise InputError("the package flatbuffers is not installed; expected: pip install -e .[export]")
    run = runs.open_run(options)
    content = export(run, options.num_samples)
    files.write_bytes(options.file, content)
    held = [name for name in exported.Exported._fields[1:] if getattr(exported.load(content), name) is not None]
    print(f"{options.file}: {len(content) / 1e6:.2f} MB: {', '.join(held)}; {runs.describe_step(run)}")
    print(f"read by: jaxgen.exported.load(open({str(options.file)!r}, 'rb').read())")
