"""CPU seconds of imports before a run's first compiled call, against those of jax, flax, optax and orbax alone.

    python -m benchmarks.startup

Each is imported by a process of its own, in turn; the median of five counts. At most 1.3 is wanted.
"""

import argparse
import resource
import statistics
import subprocess
import sys

from benchmarks import record

REPEATS = 5
PROGRAMS = {
    "jax, flax, optax, orbax": "import jax, flax.linen, optax, orbax.checkpoint",
    # The log of metrics loads tensorboardX where it is installed; whatever draws or fits is loaded after training.
    "python -m train CONFIG": "import train.commands.train, importlib.util\n"
    "if importlib.util.find_spec('tensorboardX'): import tensorboardX",
    "python -m train --help": "import train.__main__ as main\nmain.usage()",
}


def cpu_seconds(program: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter).parse_args()
    taken = {name: [] for name in PROGRAMS}
    for _ in range(REPEATS):
        for name, program in PROGRAMS.items():
            taken[name].append(cpu_seconds(program))
    base, *_ = medians = {name: statistics.median(values) for name, values in taken.items()}
    for name, median in medians.items():
        print(f"{name:<26} {median:5.2f} CPU seconds  {median / medians[base]:.2f}")
    record.write("startup", {"CPU seconds": taken})


if __name__ == "__main__":
    main()
