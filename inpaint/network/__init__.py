"""A convolutional network that fills lost pixels, to stand beside a generator's search.

It looks at the observed pixels and their mask alone, has no latent space, gives one image and
knows of no other that fits. What it is good at is what a generator of dense layers is not: going
on with the strokes that end where the lost part begins.
"""

from inpaint.network.config import NetworkConfig
from inpaint.network.files import (
    load_network,
    network_card,
    network_names,
    read_network,
    write_network,
)
from inpaint.network.model import InpaintingNetwork
from inpaint.network.training import NetworkResult, train_network

__all__ = [
    "InpaintingNetwork",
    "NetworkConfig",
    "NetworkResult",
    "load_network",
    "network_card",
    "network_names",
    "read_network",
    "train_network",
    "write_network",
]
