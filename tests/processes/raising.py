"""`python -m train` with these arguments, whose third call raises an error that nothing handles."""

import itertools

from train import guard
from train.__main__ import start

calls = itertools.count(1)


def raise_at_the_third(*_: object) -> None:
    if next(calls) == 3:
        raise ZeroDivisionError("of the test")


def run() -> None:
    from train.engine import loop

    loop.require_finite = raise_at_the_third
    start()


raise SystemExit(guard.run(run))
