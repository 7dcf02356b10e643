"""Restore damaged images by searching the latent space of a generator."""

from inpaint.config import RestoreConfig
from inpaint.errors import InpaintError
from inpaint.files.reading import read_generator, read_images, write_generator, write_images
from inpaint.generators import ConvTranspose, Dense, Generator, ModuleGenerator, from_module
from inpaint.operators import BlockAverage, Blur, Composition, LinearOperator, Mask, measure
from inpaint.search.restore import restore
from inpaint.search.verdict import Verdict, judge
from inpaint.types import ImageSet, Measurement, Progress, Restoration, Status

__all__ = [
    "BlockAverage",
    "Blur",
    "Composition",
    "ConvTranspose",
    "Dense",
    "Generator",
    "ImageSet",
    "InpaintError",
    "LinearOperator",
    "Mask",
    "Measurement",
    "ModuleGenerator",
    "Progress",
    "Restoration",
    "RestoreConfig",
    "Status",
    "Verdict",
    "from_module",
    "judge",
    "measure",
    "read_generator",
    "read_images",
    "restore",
    "write_generator",
    "write_images",
]
