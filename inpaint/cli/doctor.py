"""`inpaint doctor`: what was built, what runs here, and why."""

from __future__ import annotations

import os

import typer

from inpaint.cli import terminal
from inpaint.config import RestoreConfig


def doctor() -> None:
    """Say what was built, which backend runs here and why, and with which versions."""
    import torch

    from inpaint.files.examples import bundled_names
    from inpaint.files.record import versions
    from inpaint.generators.pretrained import pretrained_names

    state, works = _extension()
    facts = [
        ["C++ extension", state],
        ["backend", _backend()],
        ["instruction set", torch.backends.cpu.get_cpu_capability()],
        ["cores", f"{os.cpu_count()}, torch uses {torch.get_num_threads()} threads"],
        ["CUDA", "usable by torch" if torch.cuda.is_available() else "not usable by torch"],
        ["generators", ", ".join(pretrained_names()) or "none shipped"],
        ["bundled images", ", ".join(bundled_names())],
        ["versions", ", ".join(f"{name} {version}" for name, version in versions().items())],
    ]
    width = max(len(name) for name, _ in facts) + 2
    for name, text in facts:
        terminal.say(f"{name:<{width}}{text}")
    if not works:
        raise typer.Exit(1)


def _extension() -> tuple[str, bool]:
    """The state of the extension inpaint._C, and whether it is in order."""
    from inpaint.errors import BackendError
    from inpaint.search.backends import cpp

    try:
        return cpp.available()[1], True
    except BackendError as error:
        return str(error), False


def _backend() -> str:
    """The backend of a default run on the shipped generator."""
    import torch

    from inpaint.errors import InpaintError
    from inpaint.files.job import RestoreJob
    from inpaint.files.problem import load
    from inpaint.search.backends import choose
    from inpaint.search.objective import make_objective

    config = RestoreConfig()
    try:
        problem = load(RestoreJob(config=config))
        objective = make_objective(
            problem.measurement, problem.generator, dtype=getattr(torch, config.dtype)
        )
        backend = choose(config, objective)
    except InpaintError as error:
        return f"none: {error}"
    return f"{backend.label}: {' '.join(backend.reasons)}"
