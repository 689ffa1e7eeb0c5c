"""Kill a run at random moments with SIGKILL, start it again, and compare what it ends with, bit for bit.

    python -m benchmarks.kill_and_resume [KILLS] [SEED]

A moment is drawn uniformly over the length of an uninterrupted run, so that some kills hit the start, a checkpoint that
is being written, or the evaluation. Compared: every array of the last checkpoint and metrics.jsonl without wall times.
"""

import argparse
import pathlib
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "train"))
from run_files import bits_of, log_of

STEPS = 2000
COMMAND = [
    sys.executable, "-m", "train", "configs/vae_digits.py", f"--steps={STEPS}", "--checkpoint-every=100",
    "--evaluate-every=200", "--num-samples=5", "--features=none", "--run-dir",
]  # fmt: skip


def main(kills: int, seed: int) -> int:
    """Print a line a kill and the count of those that ended the same; the exit code is the number that did not."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        whole = pathlib.Path(folder) / "whole"
        for run_dir in (pathlib.Path(folder) / "warming", whole):  # the first fills the compilation cache
            start = time.perf_counter()
            subprocess.run([*COMMAND, str(run_dir)], check=True, capture_output=True)
            length = time.perf_counter() - start
        expected = bits_of(whole, STEPS), log_of(whole)
        same = 0
        for number in range(1, kills + 1):
            run_dir = pathlib.Path(folder) / f"killed{number}"
            moment = draw.uniform(0, length)
            process = subprocess.Popen([*COMMAND, str(run_dir)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(moment)
                when = f"after {moment:.2f} s, when it had ended"
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                when = f"after {moment:.2f} s"
            again = subprocess.run([*COMMAND, str(run_dir)], check=True, capture_output=True, text=True).stdout
            resumed = next((line for line in again.splitlines() if line.startswith("resumed")), "started again")
            equal = (bits_of(run_dir, STEPS), log_of(run_dir)) == expected
            same += equal
            print(f"kill {number} {when}: {resumed}: {'identical' if equal else 'DIFFERENT'}", flush=True)
    print(f"{same} of {kills} kills resumed to identical bits")
    return kills - same


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kills", type=int, nargs="?", default=20)
    parser.add_argument("seed", type=int, nargs="?", default=0)
    raise SystemExit(main(**vars(parser.parse_args())))
