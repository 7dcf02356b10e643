"""Generators: layers with weights as data, or any `torch.nn.Module`.

Both kinds map latent vectors to images and can pull a gradient back from the pixels to the
latent vector, which is all that the objective asks of them.
"""

from inpaint.generators.convert import from_module
from inpaint.generators.layers import ACTIVATIONS, Activation, ConvTranspose, Dense, Layer
from inpaint.generators.module import ModuleGenerator
from inpaint.generators.stack import Generator, Pullback

AnyGenerator = Generator | ModuleGenerator

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
    "from_module",
]
