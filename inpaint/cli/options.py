"""Options of the commands, made from the fields of their jobs.

Names, types, defaults and help come only from the jobs (`inpaint.files.job`) and their settings,
docstrings included.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from inpaint.config import PRESETS, RestoreConfig
from inpaint.errors import ArgumentError
from inpaint.files.words import Job, Kind, default_of, option_of

if TYPE_CHECKING:
    from inpaint.files.record import Record

OUTPUT = Path("restored")

Perform = Callable[..., None]


@dataclass(frozen=True)
class _Setting:
    """One option: a field of a job, or of its settings.

    Attributes:
        field: The field.
        kind: How its value is written on the command line.
        help: What it means.
        nested: Whether it is a field of the job's settings.
    """

    field: Field[Any]
    kind: Kind
    help: str
    nested: bool

    @property
    def name(self) -> str:
        """Its name in the job or its settings."""
        return self.field.name

    @property
    def said(self) -> str:
        """Its name in messages."""
        return option_of(self.field).removeprefix("--").replace("-", "_")

    @property
    def is_input(self) -> bool:
        """Whether it names a file, which may have been moved since a run was recorded."""
        return bool(self.field.metadata.get("is_input"))

    def parameter(self) -> inspect.Parameter:
        """The parameter for typer; its default None means that it was not given."""
        facts = self.field.metadata
        shown: Any = facts.get("shown")
        if shown is None:
            shown = _default_text(self.field, self.kind)
        metavar = facts.get("metavar") or self.kind.metavar
        if facts.get("argument"):
            info = typer.Argument(help=self.help, show_default=shown, metavar=self.name.upper())
        elif self.kind.metavar is None:
            flag = typer.Option(option_of(self.field), help=self.help, show_default=False)
            return _keyword(self.name, Annotated[bool | None, flag])
        else:
            info = typer.Option(
                option_of(self.field), metavar=metavar, help=self.help, show_default=shown
            )
        return _keyword(self.name, Annotated[str | None, info])


def command_of(
    kind: type[Job], *, output: Path, extra: Mapping[str, Any] | None = None
) -> Callable[[Perform], Callable[..., None]]:
    """Make a command that performs a job.

    The function decorated is called with the job, the folder or file for its results (`output`)
    and the record that it repeats (`record`), if any.

    Args:
        kind: The job's class.
        output: Where results go by default.
        extra: Annotations of further options that do not belong to the job, by name.
    """
    settings = list(_settings(kind))

    def decorate(perform: Perform) -> Callable[..., None]:
        def command(**values: Any) -> None:
            given = {s.name: values.pop(s.name) for s in settings}
            given = {name: text for name, text in given.items() if text is not None}
            preset, from_run = values.pop("preset", None), values.pop("from_run")
            if from_run is None:
                record, job = None, _make_job(kind, settings, given, preset)
            else:
                record, job = _recorded_job(kind, settings, given, preset, from_run)
            perform(job, record=record, **values)

        own = [_keyword(name, annotation) for name, annotation in (extra or {}).items()]
        parameters = [setting.parameter() for setting in settings if not setting.nested]
        if _has_presets(kind):
            parameters.append(_preset(kind))
        parameters += [*own, _output(output), _from_run()]
        parameters += [setting.parameter() for setting in settings if setting.nested]
        command.__doc__ = perform.__doc__
        command.__name__ = perform.__name__
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return decorate


def _make_job(
    kind: type[Job], settings: list[_Setting], given: Mapping[str, str], preset: str | None
) -> Job:
    """The job that was asked for, with defaults filled in."""
    for setting in settings:
        if given.get(setting.name) == "":
            raise ArgumentError(f"{setting.said} is empty; give a value, or leave it out.")
    read = {s.name: s.kind.read(s.said, given[s.name]) for s in settings if s.name in given}
    nested = {s.name for s in settings if s.nested}
    for each in fields(kind):  # type: ignore[arg-type]
        if default_of(each) is MISSING and each.name not in read:
            missing = each.name.upper() if each.metadata["argument"] else option_of(each)
            raise ArgumentError(f"{missing} is missing; see inpaint {kind.command} --help.")
    changes = {name: value for name, value in read.items() if name not in nested}
    config = next((each for each in fields(kind) if each.name == "config"), None)  # type: ignore[arg-type]
    if config is not None:
        base = default_of(config) if preset is None else RestoreConfig.preset(preset)
        changes["config"] = replace(base, **{n: v for n, v in read.items() if n in nested})
    job = kind(**changes)
    for hidden in job.ignored_fields() & set(given):
        other = next(name for name in ("mask", "masks", "operator") if name in given)
        first, second = (
            next(option_of(s.field) for s in settings if s.name == name) for name in (hidden, other)
        )
        raise ArgumentError(
            f"{first} and {second} both say what is observed; leave one of the two out."
        )
    return job


def _recorded_job(
    kind: type[Job],
    settings: list[_Setting],
    given: Mapping[str, str],
    preset: str | None,
    path: Path,
) -> tuple[Record, Job]:
    """The job of a record, with the present paths of its inputs."""
    from inpaint.files.record import read_record, with_moved_inputs

    changed = [option_of(s.field) for s in settings if s.name in given and not s.is_input]
    changed += [] if preset is None else ["--preset"]
    if changed:
        raise ArgumentError(
            f"--from-run repeats a run as it was, and {changed[0]} would change it; leave one of "
            "the two out."
        )
    record = read_record(path, kind.command)
    moved = {s.name: s.kind.read(s.said, given[s.name]) for s in settings if s.name in given}
    return record, with_moved_inputs(record.job, moved)


def _settings(kind: type[Job]) -> Iterator[_Setting]:
    """The options of a job, those of its settings last."""
    hints, texts = get_type_hints(kind), _field_texts(kind)
    last: list[_Setting] = []
    for each in fields(kind):  # type: ignore[arg-type]
        if is_dataclass(hints[each.name]):
            config = hints[each.name]
            inner, said = get_type_hints(config), _field_texts(config)
            last += [
                _Setting(part, Kind.of(inner[part.name]), said[part.name], nested=True)
                for part in fields(config)
            ]
        else:
            yield _Setting(each, Kind.of(hints[each.name]), texts[each.name], nested=False)
    yield from last


def _field_texts(kind: type) -> dict[str, str]:
    """The text of each field in the "Attributes" sections of a class and its bases."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        section = inspect.cleandoc(base.__doc__ or "").partition("Attributes:\n")[2]
        section = section.partition("\n\n")[0]
        entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section, flags=re.MULTILINE)
        found |= {name: " ".join(text.split()).replace("`", "") for name, text in entries}
    found = {name: text.replace("None uses", "left out, it is") for name, text in found.items()}
    return {each.name: found.get(each.name, "") for each in fields(kind)}


def _default_text(each: Field[Any], kind: Kind) -> str | bool:
    """A field's default as the help shows it; False shows none."""
    if each.default is MISSING or each.default is None or kind.metavar is None:
        return False
    return kind.write(each.default) or False


def _has_presets(kind: type[Job]) -> bool:
    return get_type_hints(kind).get("config") is RestoreConfig


def _preset(kind: type[Job]) -> inspect.Parameter:
    usual = default_of(next(each for each in fields(kind) if each.name == "config"))  # type: ignore[arg-type]
    name = next(name for name in PRESETS if RestoreConfig.preset(name) == usual)
    info = typer.Option(
        "--preset",
        metavar="|".join(PRESETS),
        help="Settings to begin with; every option given as well changes one.",
        show_default=name,
    )
    return _keyword("preset", Annotated[str | None, info])


def _output(default: Path) -> inspect.Parameter:
    what = "File for the results" if default.suffix else "Folder for the results"
    info = typer.Option(
        "--output", parser=_path, metavar="PATH", help=f"{what}; earlier ones in it are replaced."
    )
    return _keyword("output", Annotated[Path, info], default)


def _path(text: str | Path) -> Path:
    if not str(text) or text == "":
        raise ArgumentError("output is empty; name a folder, or leave it out.")
    return Path(text)


def _from_run() -> inspect.Parameter:
    info = typer.Option(
        "--from-run",
        metavar="FILE",
        help="Repeat the run of a record exactly. Options that name files then say where these "
        "lie now, if they were moved.",
        show_default=False,
    )
    return _keyword("from_run", Annotated[Path | None, info])


def _keyword(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )
