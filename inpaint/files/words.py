"""Jobs as words of a command line, and back."""

from __future__ import annotations

import re
import shlex
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

from inpaint.config import changed_settings
from inpaint.errors import ArgumentError


@dataclass(frozen=True)
class Kind:
    """How a value of some type is written on a command line.

    Attributes:
        metavar: Placeholder for the value in the help; None for a flag, which has no value.
        read: Makes the value from the option's name and text.
        write: Makes the text from the value.
    """

    metavar: str | None
    read: Callable[[str, str], Any]
    write: Callable[[Any], str] = str

    @classmethod
    def of(cls, hint: Any) -> Kind:
        """The kind of a field's type, which may be optional."""
        if get_origin(hint) in (Union, types.UnionType):
            hints = [part for part in get_args(hint) if part is not type(None)]
            hint, *others = hints
            if others:
                return cls.of(hint)._or_word(*(word for part in others for word in get_args(part)))
        if get_origin(hint) is Literal:
            # The job or its settings check the choice.
            return cls("|".join(get_args(hint)), lambda name, text: text)
        if get_origin(hint) is tuple:
            return KINDS[get_args(hint)]
        return KINDS[(hint,)]

    def _or_word(self, *words: str) -> Kind:
        """This kind, or one of some words in its place."""

        def read(name: str, text: str) -> Any:
            return text if text in words else self.read(name, text)

        return replace(self, metavar="|".join([str(self.metavar), *words]), read=read)


def read_integer(name: str, text: str) -> int:
    """An option's text as an integer.

    Raises:
        ArgumentError: If it is something else.
    """
    return int(_parse(int, name, text, "a whole number, such as 8"))


def read_number(name: str, text: str) -> float:
    """An option's text as a number.

    Raises:
        ArgumentError: If it is something else.
    """
    return float(_parse(float, name, text, "a number, such as 0.1"))


def read_integers(name: str, text: str) -> tuple[int, ...]:
    """An option's text as integers and ranges of them, such as 0,2-3.

    Raises:
        ArgumentError: If it is something else.
    """
    return tuple(_integers(name, text))


def read_range(name: str, text: str) -> tuple[float, float]:
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


def read_names(name: str, text: str) -> tuple[str, ...]:
    """An option's text as names with commas between them."""
    return tuple(part.strip() for part in text.split(","))


def _parse(kind: Callable[[str], Any], name: str, text: str, rule: str) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise ArgumentError(f"{name} is {text!r}; give {rule}.") from error


def _integers(name: str, text: str) -> Iterable[int]:
    for part in text.split(","):
        match = re.fullmatch(r"\s*(-?\d{1,9})(?:-(\d{1,9}))?\s*", part)
        first, last = match.groups() if match else (None, None)
        if first is None or (last is not None and not 0 <= int(last) - int(first) < 1_000_000):
            raise ArgumentError(
                f"{name} is {text!r}; give whole numbers or ranges of them, such as 0,2-3."
            )
        yield from range(int(first), int(last or first) + 1)


def _with_commas(values: Iterable[Any]) -> str:
    return ",".join(map(str, values))


def _as_is(name: str, text: str) -> str:
    return text


KINDS: dict[tuple[Any, ...], Kind] = {
    (int,): Kind("INTEGER", read_integer),
    (float,): Kind("NUMBER", read_number, repr),
    (str,): Kind("TEXT", _as_is),
    (bool,): Kind(None, lambda name, text: True),
    (Path,): Kind("FILE", lambda name, text: Path(text)),
    (int, ...): Kind("NUMBERS", read_integers, _with_commas),
    (str, ...): Kind("NAMES", read_names, _with_commas),
    (float, float): Kind("LOW:HIGH", read_range, lambda pair: "{!r}:{!r}".format(*pair)),
}
"""Kinds by type, or by the types in a tuple."""


def option(
    default: Any = MISSING,
    *,
    name: str | None = None,
    metavar: str | None = None,
    shown: str | None = None,
    factory: Any = MISSING,
    argument: bool = False,
    is_input: bool = False,
    always: bool = False,
) -> Any:
    """A field that is an option of the command line.

    Args:
        default: Its value where the option is left out.
        name: Name of the option, if not the field's own.
        metavar: Placeholder for the value in the help, if not that of its type.
        shown: What the help calls the default; an empty text shows none.
        factory: Makes the default.
        argument: Whether it is given without the option's name.
        is_input: Whether it names a file, and may be given again if the file was moved.
        always: Whether a command includes it even at its default.
    """
    metadata = {
        "name": name,
        "metavar": metavar,
        "shown": shown,
        "argument": argument,
        "is_input": is_input,
        "always": always,
    }
    if factory is not MISSING:
        return field(default_factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)


class Job:
    """What all jobs can do; each is a frozen dataclass with a `command` and a `config`."""

    command: ClassVar[str]

    def words(self) -> list[str]:
        """Words after `inpaint` that do the same, defaults left out."""
        words, named = [self.command], list(self._named())
        words += [text for option, text in named if option is None]
        for option, text in named:
            if option is None:
                continue
            # One word where the value could be taken for an option.
            words += [f"{option}={text}"] if text.startswith("-") else [option, text]
        return [word for word in words if word]

    @property
    def command_line(self) -> str:
        """The same job as a command for a shell."""
        return shlex.join(["inpaint", *self.words()])

    def changed(self) -> dict[str, Any]:
        """The fields that a user has to name: those without a default, and those that differ."""
        return {
            each.name: getattr(self, each.name)
            for each in fields(self)  # type: ignore[arg-type]
            if each.metadata.get("always") or getattr(self, each.name) != default_of(each)
        }

    def ignored_fields(self) -> set[str]:
        """Fields that another field makes meaningless."""
        return set()

    def _named(self) -> Iterator[tuple[str | None, str]]:
        """Each option to be named and its text; an argument has no option."""
        hints = get_type_hints(type(self))
        hidden = self.ignored_fields()
        for each in fields(self):  # type: ignore[arg-type]
            value = getattr(self, each.name)
            if is_dataclass(value):
                kinds = get_type_hints(type(value))
                for name, setting in changed_settings(value, default_of(each)).items():
                    yield f"--{name.replace('_', '-')}", Kind.of(kinds[name]).write(setting)
            elif each.name in self.changed() and each.name not in hidden and value is not None:
                kind = Kind.of(hints[each.name])
                text = "" if kind.metavar is None else kind.write(value)
                yield None if each.metadata.get("argument") else option_of(each), text


def option_of(each: Field[Any]) -> str:
    """The option of a job's field."""
    name = each.metadata.get("name") or each.name
    return f"--{name.replace('_', '-')}"


def default_of(each: Field[Any]) -> Any:
    """The default of a dataclass's field; `MISSING` if it has none."""
    return each.default if each.default_factory is MISSING else each.default_factory()
