"""The options of every run, whatever its config."""

import dataclasses
import typing

from train.experiment import Count, Size


@dataclasses.dataclass(kw_only=True)
class RunOptions:
    """Where a run happens, and how it is evaluated: nothing that changes what is learnt."""

    run_dir: str | None = None
    """Directory of the run, resumed where it exists; None: runs/<config name>."""
    data_dir: str | None = None
    """Directory of data sets by name; None: JAXGEN_DATA, for tfds:NAME TFDS_DATA_DIR, or where `data fetch` writes."""
    num_samples: Size = 500
    """Importance samples for each test example in the last evaluation."""
    layout: typing.Literal["hwc"] | None = None
    """hwc: images whose first axis is 1, 3 or 4 are [H, W, C] all the same; None: they are refused."""
    features: str | None = None
    """Run of a classifier in whose features samples are compared with data, "x" for x itself, or "none" not to compare
    them; None: a classifier of images with labels, trained once for a data set."""
    devices: Size | None = None
    """Devices to train on, of each process; None: all that this process has."""
    platform: str | None = None
    """cpu, gpu or tpu; None: the best there is."""
    compilation_cache: str | None = None
    """Directory of compiled programs, or "off"; None: jaxgen in the user's cache directory."""
    distributed: bool = False
    """Train with the other processes that the cluster has started: a TPU pod, Slurm, Open MPI, Kubernetes."""
    coordinator: str | None = None
    """HOST:PORT of process 0, where no cluster says which processes train together."""
    num_processes: Size | None = None
    """How many they are, with --coordinator."""
    process_id: Count | None = None
    """Which of them this is, from 0 on, with --coordinator."""
    open: bool = False
    """Open the report in a browser once it is written."""
    trust: bool = False
    """Where the config of the run that --features names has changed or is gone, execute the source that it keeps."""


#: The fields of an experiment that are options of every run, and their help.
FIELDS = {
    "data": "Data set: digits, blobs, ring, grid, npz:PATH, tfds:NAME, or NAME for NAME.npz in --data-dir.",
    "batch_size": "Examples in a step, over all devices.",
    "steps": "Optimizer steps, or epochs with --unit epoch.",
    "seed": "The first seed.",
    "seeds": "Seeds that are trained in one compile.",
    "valid_rows": "First row, and end, of the training data that validates where the data has no validation part.",
    "evaluate_every": "Steps (epochs) between evaluations on the validation set.",
    "checkpoint_every": "Steps (epochs) between checkpoints.",
    "unit": "Unit of --steps, --evaluate-every and --checkpoint-every.",
    "order": "Order of the training data in each epoch: shuffled anew, or that of the file.",
    "drop_last": "Whether the short last batch of an epoch is dropped, or trained on as it is.",
    "select": "Validation metric, such as nll, by which each seed's best model is kept; None: the last model is used.",
    "patience": "Evaluations without improvement after which a seed stops; None: never.",
    "precision": "Precision of the networks' inner values; parameters, losses and statistics are float32.",
    "accumulate": "Equal microbatches of a batch whose gradients add up to a step, in the memory of one.",
    "steps_per_call": "Steps in one compiled call; None: chosen for the device.",
}
