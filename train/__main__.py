"""The command line of training: `python -m train CONFIG [OPTIONS]`."""

import ast
import sys
import time

STARTED = time.perf_counter()  # before the imports that a person waits for


def usage() -> str:
    """What there is to run, read from the configs without importing them."""
    import pathlib

    folder = pathlib.Path(__file__).resolve().parent.parent / "configs"
    lines = [
        "usage: python -m train CONFIG [OPTIONS]",
        "",
        "Train, evaluate and report an experiment; the same command again resumes or completes it.",
        "python -m train CONFIG --help lists the options of a config.",
        "",
        "configs:",
    ]
    for path in sorted(folder.glob("*.py")):
        summary = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
        lines.append(f"  configs/{path.name:<24} {summary}")
    lines += [
        "",
        "of a run: python -m train.evaluate RUN, train.sample, train.interpolate, train.rebalance, train.outliers,",
        "train.complete, train.condition",
    ]
    lines += ["of several runs: python -m train.rate_distortion RUN RUN ..."]
    lines += ["of the game of two players on a line: python -m train.minmax"]
    lines += ["of a generative and a discriminative classifier, over numbers of examples: python -m train.crossing"]
    lines += ["of data: python -m train.data prepare NAME --source DIR (makes tfds:NAME from the original files)"]
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Bind the command line and run."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        raise SystemExit(0 if arguments else 2)
    from train.failures import InputError, one_line_failures

    with one_line_failures():
        path, *options = arguments
        if path.startswith("-"):
            raise InputError(f"{path}: expected a config first, as in python -m train configs/vae_digits.py {path}")
        from train import config as configs

        config = configs.load(path)
        values, run_options = configs.bind(config, options)
        from train.run import run

        run(config, values, run_options, STARTED)


if __name__ == "__main__":
    main(sys.argv[1:])
