"""Per-example metrics of the recipe itself."""

from train.evaluation.estimates import UNITS, Measured
from train.evaluation.subject import Subject


def applies(subject: Subject) -> bool:
    """Always true: every recipe evaluates test examples."""
    del subject
    return True


def measure(subject: Subject) -> dict[str, Measured]:
    """The metrics of each test example, by name."""
    return {
        name: Measured(found, UNITS.get(name, "nats"), most=1 if name == "accuracy" else None)
        for name, found in sorted(subject.example_metrics.items())
    }
