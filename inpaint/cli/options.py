"""Options that several commands share, and those made from the fields of a configuration."""

from __future__ import annotations

import functools
import inspect
import re
import types
from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NoReturn,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import typer

from inpaint.config import PRESETS
from inpaint.errors import ArgumentError
from inpaint.files.job import Run

if TYPE_CHECKING:
    from torch import Tensor

Source = Annotated[
    str | None,
    typer.Argument(
        help="Image file (.mat, .npz, .npy, .png, .jpg, IDX) or name of a bundled set.",
        show_default=Run.source,
    ),
]
GeneratorName = Annotated[
    str | None,
    typer.Option(
        "--generator",
        help="Generator file (.mat, .safetensors) or name of a shipped one.",
        show_default="the shipped one",
    ),
]
Keep = Annotated[
    str | None,
    typer.Option(
        metavar="INTEGER",
        help="Number N of leading pixels observed, column after column; the rest is lost.",
        show_default=str(Run.keep),
    ),
]
MaskName = Annotated[
    str | None,
    typer.Option(
        "--mask",
        metavar="PRESET|FILE",
        help="What is lost, instead of --keep: box:SIDE, left, right, top, bottom, random:SHARE, "
        "rows:K, columns:K, checkerboard:SIDE, strokes:NUMBER (random and strokes take a seed, "
        "strokes:3:SEED), or a mask file (.png, .npy, .npz) where white or 1 is observed.",
        show_default=False,
    ),
]
OperatorName = Annotated[
    str | None,
    typer.Option(
        "--operator",
        metavar="NAME|FILE",
        help="What is observed, if not pixels: block-average, block-average:SIDE, blur:DEVIATION, "
        "or the file of a matrix T (.npy, .npz, .mat). With --mask, some of its values are lost.",
        show_default=False,
    ),
]
Orientation = Annotated[
    str | None,
    typer.Option(
        metavar="rows|columns",
        help="Order in which the numbers of a picture stand in SOURCE.",
        show_default="the format's own",
    ),
]
Ink = Annotated[
    str | None,
    typer.Option(
        metavar="dark|light", help="Colour of the ink in SOURCE.", show_default="detected"
    ),
]
ValueRange = Annotated[
    str | None,
    typer.Option(
        "--range",
        metavar="LOW:HIGH",
        help="Values of black and white in SOURCE, such as 0:255; write --range=-1:1.",
        show_default="detected",
    ),
]
Noise = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBER",
        help="Standard deviation of the noise added to the images, in units of the pixels.",
        show_default=str(Run.noise),
    ),
]
Images = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBERS",
        help="Numbers of the images to restore, such as 0,2-3.",
        show_default="all",
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(PRESETS),
        help="Settings to begin with; every option given beside it changes one.",
        show_default="the options' own defaults",
    ),
]
TrainingImages = Annotated[Path, typer.Argument(help="IDX file of the training images, gz or not.")]
TrainingLabels = Annotated[Path, typer.Option(help="IDX file of their labels.")]
TrainingDigits = Annotated[
    str | None, typer.Option(metavar="NUMBERS", help="Labels to train on.", show_default="all")
]
TrainingHoldOut = Annotated[
    str, typer.Option(metavar="INTEGER", help="Images at the end of the file that are left out.")
]
HOLD_OUT = "10000"
Checkpoint = Annotated[
    Path | None,
    typer.Option(help="File to go on from if it exists, and to save the training in."),
]
Output = Annotated[
    Path, typer.Option(help="Folder for the results; earlier ones in it are replaced.")
]
OUTPUT = Path("restored")
Value = TypeVar("Value")


def training_images(images: Path, labels: Path, digits: str | None, hold_out: str) -> Tensor:
    """The images that the four options of a training name. [K, C, H, W]

    Raises:
        ArgumentError: If a number is none, or no image is left.
        FileError: If a file cannot be read.
    """
    from inpaint.training import read_digits

    held_out = whole_number("hold_out", hold_out)
    if held_out < 0:
        raise ArgumentError(f"hold_out is {held_out}; choose a number of images, 0 or above.")
    chosen = () if digits is None else whole_numbers("digits", digits)
    return read_digits(images, labels, digits=chosen, part=slice(None, -held_out or None))


def settings_of(config: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option per field of a configuration.

    The command takes those that were given as a dict named `settings`. Types, defaults and
    help come from the configuration, its docstring included, which is their only home.

    Args:
        config: A dataclass with an "Attributes" section.
    """
    hints = get_type_hints(config)
    texts = _field_texts(config)
    kinds = {field.name: _Kind.of(hints[field.name]) for field in fields(config)}
    options = [_option(field, kinds[field.name], texts[field.name]) for field in fields(config)]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def wrapper(**values: Any) -> None:
            given = {name: values.pop(name) for name in kinds}
            settings = {
                name: kinds[name].read(name, text)
                for name, text in given.items()
                if text is not None
            }
            command(**values, settings=settings)

        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.name != "settings"]
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in [*own, *options]]
        wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapper

    return decorate


@dataclass(frozen=True)
class _Kind:
    """How an option's text becomes a field's value.

    Attributes:
        metavar: What stands for the value in the help.
        read: From the option's name and its text.
    """

    metavar: str
    read: Callable[[str, str], Any]

    @classmethod
    def of(cls, hint: Any) -> _Kind:
        """The kind of a field's type, which may be optional."""
        if get_origin(hint) in (Union, types.UnionType):
            (hint,) = (kind for kind in get_args(hint) if kind is not type(None))
        if get_origin(hint) is Literal:
            # The configuration itself refuses what is none of its choices.
            return cls("|".join(get_args(hint)), lambda name, text: text)
        if get_origin(hint) is tuple:
            return cls("NUMBERS", whole_numbers)
        known = {
            int: cls("INTEGER", whole_number),
            float: cls("NUMBER", real_number),
            str: cls("TEXT", lambda name, text: text),
        }
        return known[hint]


def _option(field: Field[Any], kind: _Kind, text: str) -> inspect.Parameter:
    """A keyword whose default None means that the option was not given."""
    default: str | bool = False
    if field.default is not MISSING and field.default is not None:
        value = field.default
        default = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    option = typer.Option(
        f"--{field.name.replace('_', '-')}", metavar=kind.metavar, help=text, show_default=default
    )
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[str | None, option],
    )


def _field_texts(config: type) -> dict[str, str]:
    """What the "Attributes" section of a docstring says of each field."""
    section = inspect.getdoc(config) or ""
    section = section.partition("Attributes:\n")[2].partition("\n\n")[0]
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section, flags=re.MULTILINE)
    found = {name: " ".join(text.split()).replace("`", "") for name, text in entries}
    found = {name: text.replace("None takes", "left out, it takes") for name, text in found.items()}
    return {field.name: found.get(field.name, "") for field in fields(config)}


def whole_number(name: str, text: str) -> int:
    """An option's text as a whole number.

    Raises:
        ArgumentError: If it is something else.
    """
    return _parse(int, name, text, "a whole number, such as 8")


def real_number(name: str, text: str) -> float:
    """An option's text as a number.

    Raises:
        ArgumentError: If it is something else.
    """
    return _parse(float, name, text, "a number, such as 0.1")


def real_range(name: str, text: str) -> tuple[float, float]:
    """An option's text as two numbers with a colon between them.

    Raises:
        ArgumentError: If it is something else.
    """
    match = re.fullmatch(r"\s*([^:]+):([^:]+)\s*", text)
    try:
        low, high = (float(part) for part in match.groups()) if match else ("", "")
        return float(low), float(high)
    except ValueError as error:
        raise ArgumentError(
            f"{name} is {text!r}; give two numbers with a colon between them, such as 0:255."
        ) from error


def _parse(kind: Callable[[str], Value], name: str, text: str, rule: str) -> Value:
    try:
        return kind(text)
    except ValueError as error:
        raise ArgumentError(f"{name} is {text!r}; give {rule}.") from error


def refuse_both(first: str, second: str) -> NoReturn:
    """Refuse two options that both say what is observed.

    Raises:
        ArgumentError: Always.
    """
    raise ArgumentError(
        f"--{first} and --{second} both say what is observed; leave one of the two out."
    )


def whole_numbers(name: str, text: str) -> tuple[int, ...]:
    """Numbers and ranges of them, such as 0,2-3.

    Args:
        name: The option, for the message.
        text: What was given.

    Raises:
        ArgumentError: If it is something else.
    """
    return tuple(_numbers(name, text))


def _numbers(name: str, text: str) -> Iterable[int]:
    for part in text.split(","):
        match = re.fullmatch(r"\s*(-?\d{1,9})(?:-(\d{1,9}))?\s*", part)
        first, last = match.groups() if match else (None, None)
        if first is None or (last is not None and not 0 <= int(last) - int(first) < 1_000_000):
            raise ArgumentError(
                f"{name} is {text!r}; give whole numbers or ranges of them, such as 0,2-3."
            )
        yield from range(int(first), int(last or first) + 1)
