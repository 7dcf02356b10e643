"""`inpaint sample`: what a generator makes of random latent vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inpaint.cli import options, terminal
from inpaint.errors import ArgumentError
from inpaint.files.job import SampleJob

if TYPE_CHECKING:
    from inpaint.files.record import Record


@options.command_of(SampleJob, output=options.OUTPUT / "samples.png")
def sample(job: SampleJob, *, output: Path, record: Record | None) -> None:
    """Draw a grid of images that a generator makes of random latent vectors."""
    if output.suffix.lower() != ".png":
        raise ArgumentError(f"output is {str(output)!r}; choose a name that ends in .png.")

    from inpaint.files.output import check_writable
    from inpaint.files.reading import read_generator
    from inpaint.files.record import check_inputs, make_record, write_results
    from inpaint.generators.samples import sample_images
    from inpaint.plots.columns import plot_samples, to_png

    name = f"{output.stem}.json"
    check_writable(output.parent, (output.name, name))
    generator = read_generator(job.generator)
    sha256 = {"generator": generator.digest()}
    if record is not None:
        check_inputs(record, job, sha256)
    figure = plot_samples(sample_images(generator, job.count, seed=job.seed), columns=job.columns)
    made = make_record(job, sha256=sha256, results={})
    write_results(output.parent, {output.name: to_png(figure)}, name, made)
    terminal.say(f"Wrote {job.count} samples of {generator.name} to {output}.")
