"""Any `torch.nn.Module` as a generator, and what is required of every generator."""

from __future__ import annotations

import copy
import hashlib
from itertools import chain

import torch
from torch import Tensor, nn

from inpaint.checks import check_integer
from inpaint.errors import ShapeError
from inpaint.generators.layers import Metadata
from inpaint.generators.stack import Generator, Pullback, check_latents
from inpaint.placement import Place, check_placement
from inpaint.types import ImageShape


class ModuleGenerator:
    """Any `torch.nn.Module` as a generator; its gradients come from autograd.

    The module is copied and put in evaluation mode, so the caller's stays unchanged. Latent
    vectors of any floating dtype are brought to that of the module.

    Args:
        module: Maps latent vectors [N, D], or [N, D, 1, 1] as for a DCGAN, to images
            [N, C, H, W] with values in 0 to 1.
        latent_size: Number of latent dimensions D.
        name: What to call it in tables and records.
        card: Facts about it.

    Raises:
        ShapeError: If the module does not map latent vectors of that size to [N, C, H, W].
        ArgumentError: If `latent_size` is not an integer of 1 or above.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        latent_size: int,
        name: str = "module",
        card: Metadata | None = None,
    ) -> None:
        check_integer("latent_size", latent_size, 1, 2**31)
        self.module = copy.deepcopy(module).eval().requires_grad_(requires_grad=False)
        self.latent_size = latent_size
        self.name = name
        self.card: Metadata = dict(card or {})
        tensors = chain(self.module.parameters(), self.module.buffers())
        weight = next((x for x in tensors if x.is_floating_point()), None)
        self.dtype = None if weight is None else weight.dtype
        self.device = torch.device("cpu") if weight is None else weight.device
        self._axes, self.image_shape = self._probe()

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.image_shape))
        return (
            f"ModuleGenerator({self.name!r}, latent size {self.latent_size}, images {shape}, "
            f"a {type(self.module).__name__})"
        )

    def __call__(self, latents: Tensor) -> Tensor:
        """Images of latent vectors, in the module's dtype. [..., D] -> [..., C, H, W]

        Raises:
            ShapeError: If the vectors have another size than D.
        """
        check_latents(latents, self.latent_size, self.name)
        images = self.module(latents.to(dtype=self.dtype).reshape(-1, *self._axes))
        return images.reshape(*latents.shape[:-1], *self.image_shape)

    def pixels(self, latents: Tensor) -> Tensor:
        """Pixels of latent vectors, row-major, in the module's dtype. [..., D] -> [..., P]

        Raises:
            ShapeError: If the vectors have another size than D.
        """
        with torch.no_grad():
            return self(latents).flatten(-3)

    def linearize(self, latents: Tensor) -> tuple[Tensor, Pullback]:
        """Pixels, and the map from a gradient in pixels to one in latents (autograd).

        Args:
            latents: Of any floating dtype. [..., D]

        Returns:
            The pixels [..., P] and a function [..., P] -> [..., D], in the module's dtype.

        Raises:
            ShapeError: If the vectors have another size than D.
        """
        with torch.enable_grad():
            variable = latents.detach().to(dtype=self.dtype).requires_grad_()
            pixels = self(variable).flatten(-3)

        def pullback(gradient: Tensor) -> Tensor:
            return torch.autograd.grad(pixels, variable, gradient.to(pixels))[0]

        return pixels.detach(), pullback

    def to(
        self,
        *places: Place,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> ModuleGenerator:
        """A copy on another device or in another precision, as torch's `to`."""
        device, dtype = check_placement(places, device, dtype)
        if device in (None, self.device) and dtype in (None, self.dtype):
            return self
        # The constructor copies the module, and the caller's copy must not be moved.
        module = copy.deepcopy(self.module).to(device=device, dtype=dtype)
        return ModuleGenerator(module, latent_size=self.latent_size, name=self.name, card=self.card)

    def digest(self) -> str:
        """A hash of the module's structure and weights, for records."""
        sha = hashlib.sha256(repr(self.module).encode())
        for name, tensor in sorted(self.module.state_dict().items()):
            sha.update(name.encode())
            sha.update(tensor.detach().cpu().double().contiguous().numpy().tobytes())
        return sha.hexdigest()

    def _probe(self) -> tuple[tuple[int, ...], ImageShape]:
        """The axes in which the module takes a latent vector, and the shape of its images."""
        size = self.latent_size
        reasons = []
        for axes in ((size,), (size, 1, 1)):
            probe = torch.zeros(2, *axes, dtype=self.dtype, device=self.device)
            try:
                with torch.no_grad():
                    images = self.module(probe)
            except (RuntimeError, ValueError, TypeError, IndexError) as error:
                reasons.append(str(error).partition("\n")[0])
                continue
            kind = list(images.shape) if isinstance(images, Tensor) else type(images).__name__
            if not isinstance(images, Tensor) or images.ndim != 4 or len(images) != 2:
                raise ShapeError(
                    f"The module maps {list(probe.shape)} to {kind}; a generator gives images "
                    "[2, C, H, W]. Reshape its output by nn.Unflatten(1, (1, 28, 28)), or use "
                    "inpaint.from_module(module, image_shape=(1, 28, 28))."
                )
            channels, height, width = images.shape[1:]
            return axes, (channels, height, width)
        raise ShapeError(
            f"The module cannot take latent vectors of shape [2, {size}] or [2, {size}, 1, 1]; "
            f"check latent_size ({'; '.join(dict.fromkeys(reasons))})."
        )


AnyGenerator = Generator | ModuleGenerator


def check_generator(generator: AnyGenerator, image_shape: tuple[int, ...]) -> None:
    """Require a generator of images of a shape.

    Args:
        generator: Any generator.
        image_shape: The required shape. (C, H, W)

    Raises:
        ShapeError: If it makes images of another shape.
    """
    if tuple(generator.image_shape) != tuple(image_shape):
        raise ShapeError(
            f"The generator {generator.name!r} makes images of shape {generator.image_shape}, the "
            f"images have shape {tuple(image_shape)}; choose a generator of that shape."
        )
