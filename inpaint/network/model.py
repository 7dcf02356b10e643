"""The network: convolutions at three resolutions, joined by skip connections."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn
from torch.nn import functional

from inpaint.errors import ShapeError
from inpaint.network.config import GROUPS
from inpaint.operators import Mask

HALVINGS = 2
"""How often the resolution is halved; the sides of an image are multiples of 2^HALVINGS."""

PAPER = 2.0
"""Added before the sigmoid, so that training starts from light grey."""

MAX_BATCH = 256
"""Most images restored together, to limit the memory of the layers."""


class InpaintingNetwork(nn.Module):
    """Maps observed pixels and their mask to the whole image.

    It is a `Baseline`: `restore` accepts any mask, one for all images or one each.

    Args:
        image_shape: C, H, W; H and W are multiples of 4.
        width: Channels at full resolution.
        dropout: Share of the channels dropped while training.
        name: Name of the network.

    Raises:
        ShapeError: If a side is not a multiple of 4.

    Source: Ronneberger, Fischer and Brox 2015, "U-Net", with two halvings; group normalisation
    of Wu and He 2018; residual blocks of He, Zhang, Ren and Sun 2016.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        width: int,
        *,
        dropout: float = 0.0,
        name: str = "network",
    ) -> None:
        super().__init__()
        channels, height, columns = image_shape
        if height % 2**HALVINGS or columns % 2**HALVINGS:
            raise ShapeError(
                f"The images have {height} x {columns} pixels; an inpainting network needs sides "
                f"that are multiples of {2**HALVINGS}."
            )
        self.image_shape = image_shape
        self.width = width
        self.name = name
        self.down = nn.ModuleList(
            [
                _Block(2 * channels + 2, width, 0.0),
                _Block(width, 2 * width, dropout),
                _Block(2 * width, 4 * width, dropout),
            ]
        )
        self.bottom = _Block(4 * width, 4 * width, dropout)
        self.up = nn.ModuleList(
            [_Block(6 * width, 2 * width, dropout), _Block(3 * width, width, 0.0)]
        )
        self.last = nn.Conv2d(width, channels, 1)

    def digest(self) -> str:
        """SHA-256 of the weights, as hexadecimal digits."""
        found = hashlib.sha256()
        for name, tensor in sorted(self.state_dict().items()):
            found.update(
                name.encode() + tensor.detach().cpu().float().contiguous().numpy().tobytes()
            )
        return found.hexdigest()

    @property
    def settings(self) -> dict[str, float]:
        """Empty: no settings were chosen on training images."""
        return {}

    def forward(self, values: Tensor, observed: Tensor) -> Tensor:
        """Images from observed pixels; the values of lost ones are ignored. [B, C, H, W] each"""
        # Ink is 1 here, so lost pixels and the zero padding look like paper.
        features = torch.cat([(1 - values) * observed, observed, self._coordinates(values)], dim=1)
        skips: list[Tensor] = []
        for block in self.down:
            features = block(functional.avg_pool2d(features, 2) if skips else features)
            skips.append(features)
        features = self.bottom(features)
        for block, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            upsampled = functional.interpolate(features, size=skip.shape[2:])
            features = block(torch.cat([upsampled, skip], 1))
        images: Tensor = (self.last(features) + PAPER).sigmoid()
        return images

    def restore(self, values: Tensor, mask: Mask) -> Tensor:
        """Restore images; see `Baseline`.

        Raises:
            ShapeError: If the images' shape is not the network's.
        """
        if tuple(values.shape[1:]) != self.image_shape:
            raise ShapeError(
                f"The network {self.name!r} is for images of shape {list(self.image_shape)}; these "
                f"have {list(values.shape[1:])}; choose another network."
            )
        weight = next(self.parameters())
        observed = mask.batch(len(values)).to(weight)
        self.eval()
        with torch.no_grad():
            pairs = zip(values.to(weight).split(MAX_BATCH), observed.split(MAX_BATCH), strict=True)
            images = torch.cat([self(*pair) for pair in pairs])
        return images.to(values)

    def _coordinates(self, values: Tensor) -> Tensor:
        """Coordinates of each pixel, across and down, from -1 to 1. [B, 2, H, W]"""
        _, height, columns = self.image_shape
        across = torch.linspace(-1, 1, columns).to(values).expand(height, columns)
        down = torch.linspace(-1, 1, height).to(values)[:, None].expand(height, columns)
        return torch.stack([across, down]).expand(len(values), -1, -1, -1)


class _Block(nn.Module):
    """Two 3 x 3 convolutions with a shortcut past both; network files use the layers' names."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.first_norm = nn.GroupNorm(GROUPS, outputs)
        self.second_norm = nn.GroupNorm(GROUPS, outputs)
        self.past = nn.Conv2d(inputs, outputs, 1)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H, W]"""
        inner = functional.silu(self.first_norm(self.first(features)))
        inner = functional.silu(self.second_norm(self.second(self.dropout(inner))))
        shortcut: Tensor = self.past(features)
        return shortcut + inner
