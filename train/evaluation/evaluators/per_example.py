"""The metrics that a recipe evaluates by itself."""

from train.evaluation.estimates import UNITS, Measured
from train.evaluation.subject import Subject


def applies(subject: Subject) -> bool:
    """Every recipe evaluates test examples."""
    del subject
    return True


def measure(subject: Subject) -> dict[str, Measured]:
    """Those of each test example, by name."""
    return {name: Measured(found, UNITS.get(name, "nats")) for name, found in sorted(subject.evaluated.items())}
