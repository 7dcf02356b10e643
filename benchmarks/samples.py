"""The figures of samples of the shipped generators, for their cards.

    python -m benchmarks.samples IMAGES LABELS [--eights FILE ...] [--write]

The last 10,000 images are the real ones, as in `inpaint evaluate --samples`. Prints Markdown rows:
other real images, drawings by the stroke model, and each generator. With --write, the figures also
go into the shipped weights' own cards, which the page Generator shows.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from inpaint.files.digits import draw_digit
from inpaint.files.job import EvaluateJob
from inpaint.files.safetensors import write_safetensors
from inpaint.generators import pretrained
from inpaint.studies.samples import (
    FIGURES,
    SAMPLES,
    SampleFigures,
    judge_samples,
    load_sample_inputs,
    read_card,
    show,
)

EIGHTS = ("eights", "eights-10")
"""Shipped generators of eights; the others draw all digits."""


def main() -> None:
    """Print a table for eights and one for all digits."""
    parser = argparse.ArgumentParser()
    parser.add_argument("images", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--eights", nargs="*", default=[], help="more generators of eights")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    shipped = pretrained.pretrained_names()
    eights = [name for name in shipped if name in EIGHTS]
    others = [name for name in shipped if name not in EIGHTS]
    for digits, names in (((8,), [*options.eights, *eights]), (tuple(range(10)), others)):
        job = EvaluateJob(images=options.images, labels=options.labels, digits=digits, samples=True)
        print(f"\n| | {' | '.join(figure.title for figure in FIGURES)} |")
        print("| --- " * (len(FIGURES) + 1) + "|")
        for number, name in enumerate(names):
            inputs = load_sample_inputs(replace(job, generator=name))
            if number == 0:
                drawings = judge_samples(replace(inputs, others=draw(digits, SAMPLES)))
            study = judge_samples(inputs)
            if number == 0:
                _print_row("other real images", study.real)
                _print_row("drawings by the stroke model", drawings.real)
            _print_row(Path(name).stem, study.samples)
            if options.write and name in shipped:
                generator = pretrained.load_pretrained(name)
                card = generator.card.items()
                kept = {key: text for key, text in card if not read_card({key: text})}
                path = Path(pretrained.__file__).parent / f"{name}.safetensors"
                write_safetensors(replace(generator, card=kept | study.card()), path)


def draw(digits: tuple[int, ...], count: int) -> Tensor:
    """Drawings of some digits in turn. [count, 1, 28, 28]"""
    rng = np.random.default_rng(0)
    drawings = [draw_digit(digits[number % len(digits)], rng) for number in range(count)]
    return torch.from_numpy(np.stack(drawings))[:, None].float()


def _print_row(name: str, found: SampleFigures | None) -> None:
    assert found is not None
    cells = (show(getattr(found, figure.name)) for figure in FIGURES)
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
