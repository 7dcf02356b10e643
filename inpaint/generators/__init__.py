"""Generators: layers with weights as data, or any `torch.nn.Module`.

Both kinds map latent vectors to images and can pull a gradient back from the pixels to the
latent vector, which is all that the objective needs.
"""

from inpaint.generators.convert import as_generator, from_module
from inpaint.generators.layers import ACTIVATIONS, Activation, ConvTranspose, Dense, Layer
from inpaint.generators.module import AnyGenerator, ModuleGenerator, check_generator
from inpaint.generators.stack import Generator, Pullback

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "AnyGenerator",
    "ConvTranspose",
    "Dense",
    "Generator",
    "Layer",
    "ModuleGenerator",
    "Pullback",
    "as_generator",
    "check_generator",
    "from_module",
]
