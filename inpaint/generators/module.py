"""Any `torch.nn.Module` as a generator."""

from __future__ import annotations

import copy
import hashlib

import torch
from torch import Tensor, nn

from inpaint.errors import ShapeError
from inpaint.generators.stack import Pullback
from inpaint.types import Metadata


class ModuleGenerator:
    """Any `torch.nn.Module` as a generator; its gradients come from autograd.

    The module is copied and put in evaluation mode, so the caller's stays untouched.

    Args:
        module: Maps latent vectors [N, D] to images [N, C, H, W] with values in 0 to 1.
        latent_size: Number of latent dimensions D.
        name: What to call it in tables and records.

    Raises:
        ShapeError: If the module does not map [N, D] to [N, C, H, W].
    """

    def __init__(self, module: nn.Module, *, latent_size: int, name: str = "module") -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(requires_grad=False)
        self.latent_size = latent_size
        self.name = name
        self.card: Metadata = {}
        parameter = next(self.module.parameters(), torch.empty(0))
        probe = torch.zeros(2, latent_size, dtype=parameter.dtype, device=parameter.device)
        with torch.no_grad():
            try:
                shape = tuple(self.module(probe).shape)
            except RuntimeError as error:
                raise ShapeError(
                    f"The module cannot take latent vectors of shape [2, {latent_size}]: {error}"
                ) from error
        if len(shape) != 4 or shape[0] != 2:
            raise ShapeError(
                f"The module maps [2, {latent_size}] to {list(shape)}; a generator gives images "
                "[2, C, H, W]. Reshape its output."
            )
        self.image_shape: tuple[int, int, int] = (shape[1], shape[2], shape[3])

    def __call__(self, latents: Tensor) -> Tensor:
        """Images of latent vectors. [..., D] -> [..., C, H, W]"""
        images = self.module(latents.reshape(-1, self.latent_size))
        return images.reshape(*latents.shape[:-1], *self.image_shape)

    def pixels(self, latents: Tensor) -> Tensor:
        """Pixels of latent vectors, row-major. [..., D] -> [..., P]"""
        with torch.no_grad():
            return self(latents).flatten(-3)

    def linearize(self, latents: Tensor) -> tuple[Tensor, Pullback]:
        """Pixels, and the map from a gradient in pixels to one in latents (autograd)."""
        with torch.enable_grad():
            variable = latents.detach().requires_grad_()
            pixels = self(variable).flatten(-3)

        def pullback(gradient: Tensor) -> Tensor:
            return torch.autograd.grad(pixels, variable, gradient)[0]

        return pixels.detach(), pullback

    def to(self, *, dtype: torch.dtype, device: torch.device | str = "cpu") -> ModuleGenerator:
        """A copy in another precision or place."""
        module = copy.deepcopy(self.module).to(dtype=dtype, device=device)
        return ModuleGenerator(module, latent_size=self.latent_size, name=self.name)

    def digest(self) -> str:
        """A hash of the module's structure and weights, for records."""
        sha = hashlib.sha256(repr(self.module).encode())
        for name, tensor in sorted(self.module.state_dict().items()):
            sha.update(name.encode())
            sha.update(tensor.detach().cpu().double().contiguous().numpy().tobytes())
        return sha.hexdigest()
