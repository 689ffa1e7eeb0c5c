"""Reading a command line: values by the types of options, and one line for whatever cannot be read."""

import dataclasses
from typing import Annotated, Literal

import pytest
import tyro

from train.config.command_line import parse
from train.errors import InputError
from train.experiment import Rate, Size


@dataclasses.dataclass(kw_only=True)
class Options:
    run: tyro.conf.Positional[str]
    more: tyro.conf.Positional[tuple[str, ...]] = ()
    steps: Size = 5
    latent_dim: Annotated[Size, tyro.conf.arg(help="Size of the code.")] = 2
    hidden: tuple[Size, ...] = (8,)
    learning_rate: Rate = 0.1
    patience: Size | None = None
    valid_rows: tuple[int, int] | None = None
    game: Literal["hinge", "minimax"] = "hinge"
    bits: Literal[1, 2] = 1
    data_dir: str | None = None
    trust: bool = False
    warm: bool = True


def read(*arguments):
    return dataclasses.asdict(parse(Options, ["runs/x", *arguments]))


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        ("", {}),
        ("--steps 3 --steps 4", {"steps": 4}),
        ("--steps=1e4", {"steps": 10_000}),
        ("--steps 10_000", {"steps": 10_000}),
        ("--steps -3", {"steps": -3}),  # held to its bounds later
        ("--latent_dim 3 --learning-rate 1e-3", {"latent_dim": 3, "learning_rate": 1e-3}),
        ("--hidden 256 1e2 --trust", {"hidden": (256, 100), "trust": True}),
        ("--hidden --no-warm", {"hidden": (), "warm": False}),
        ("--hidden=4 a b", {"hidden": (4,), "more": ("a", "b")}),
        ("--patience 3 --valid-rows 0 10 a", {"patience": 3, "valid_rows": (0, 10), "more": ("a",)}),
        ("--patience None --valid-rows None a", {"more": ("a",)}),
        ("--game minimax --bits 2 --data-dir=a=b", {"game": "minimax", "bits": 2, "data_dir": "a=b"}),
        ("a --trust b", {"more": ("a", "b"), "trust": True}),
    ],
)
def test_values_are_those_of_tyro_and_whole_numbers_may_be_powers_of_ten(arguments, values):
    arguments = arguments.split()
    found = read(*arguments)
    assert found == dataclasses.asdict(Options(run="runs/x", **values))
    plain = [argument.replace("1e4", "10000").replace("1e2", "100") for argument in arguments]
    if "a" not in plain:  # tyro reads words behind options in another order
        assert found == dataclasses.asdict(tyro.cli(Options, args=["runs/x", *plain]))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--lr", "3"], "--lr: no such option; perhaps you meant --learning-rate"),
        (["--lr=3"], "--lr: no such option; perhaps you meant --learning-rate"),
        (["--latent-dm", "3"], "--latent-dm: no such option; perhaps you meant --latent-dim"),
        (["--xyz"], "--xyz: no such option; --help lists them"),
        (["-s", "3"], "-s: no such option; --help lists them"),
        (["--no-steps"], "--no-steps: no such option; perhaps you meant --steps"),
        (["--steps"], "--steps: expected a whole number from 1 to 2147483647"),
        (["--steps", "--trust"], "--steps: expected a whole number from 1 to 2147483647"),
        (["--steps", "many"], "--steps many: expected a whole number from 1 to 2147483647"),
        (["--steps", "1.5"], "--steps 1.5: expected a whole number from 1 to 2147483647"),
        (["--steps", "1e999"], "--steps 1e999: expected a whole number from 1 to 2147483647"),
        (["--steps", "9" * 9999], f"--steps {'9' * 100}...: expected a whole number from 1 to 2147483647"),
        (["--patience", "x"], "--patience x: expected a whole number from 1 to 2147483647"),
        (["--learning-rate", "fast"], "--learning-rate fast: expected a number above 0"),
        (
            ["--hidden", "256,256"],
            "--hidden 256,256: expected values with blanks between them, each a whole number from 1 to 2147483647",
        ),
        (["--valid-rows", "3"], "--valid-rows 3: expected 2 values with blanks between them, each a whole number"),
        (["--game", "chess"], "--game chess: expected one of hinge, minimax"),
        (["--bits", "3"], "--bits 3: expected one of 1, 2"),
        (["--data-dir", ""], '--data-dir "": expected a text'),
        (["--trust=yes"], "--trust=yes: expected --trust or --no-trust, without a value"),
        (["--steps", "3", "4"], None),
    ],
)
def test_what_cannot_be_read_is_one_line(arguments, said):
    if said is None:  # a word behind a value is one of the positional ones
        assert read(*arguments)["more"] == ("4",)
        return
    with pytest.raises(InputError) as raised:
        read(*arguments)
    assert str(raised.value) == said


def test_what_is_missing_or_too_much_is_named():
    with pytest.raises(InputError, match="^expected RUN, a text$"):
        parse(Options, ["--steps", "3"])
    one = dataclasses.make_dataclass("One", [("name", tyro.conf.Positional[Literal["a", "b"]]), ("source", str)])
    with pytest.raises(InputError, match="^NAME c: expected one of a, b$"):
        parse(one, ["c"])
    with pytest.raises(InputError, match="^expected --source, a text$"):
        parse(one, ["a"])
    with pytest.raises(InputError, match="^fast: expected an option, which begins with --; --help lists them$"):
        parse(one, ["a", "fast", "--source", "x"])


def test_help_is_printed_wherever_it_is_asked_for(capsys):
    with pytest.raises(SystemExit) as stop:
        parse(Options, ["--steps", "many", "--help"], prog="python -m train 'it''s'", description="What it is.")
    assert not stop.value.code
    said = capsys.readouterr().out
    assert "What it is." in said
    assert "Size of the code." in said
