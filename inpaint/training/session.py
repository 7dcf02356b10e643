"""The course of any training: step by step to its end, with checkpoints and a record."""

from __future__ import annotations

import dataclasses
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from inpaint.checks import check_device
from inpaint.training.checkpoint import load_checkpoint, save_checkpoint
from inpaint.training.data import check_images, digest_images

HISTORY_EVERY = 100

Progress = TypeVar("Progress")


class Course(ABC, Generic[Progress]):
    """A training under way.

    Args:
        images: Training images, 1 = paper, 0 = ink. [K, C, H, W]
        config: Settings, with `device` and `checkpoint_every`.
        steps: Steps in all.

    Attributes:
        step: Steps done.
        seconds: Time that earlier runs took.
        history: What is kept of the losses.
        modules: Networks that a checkpoint holds, by name.
        optimizers: Optimizers that it holds, by name.

    Raises:
        ShapeError: If `images` is not [K, C, H, W] with at least one image.
        ArgumentError: If a pixel is outside 0 to 1, or the device does not exist.
    """

    def __init__(self, images: Tensor, config: Any, steps: int) -> None:
        check_images(images)
        self.config = config
        self.steps = steps
        self.digest = digest_images(images)
        self.images = images.to(check_device(config.device), torch.float32)
        self.step = 0
        self.seconds = 0.0
        self.history: list[dict[str, Any]] = []
        self.modules: dict[str, nn.Module] = {}
        self.optimizers: dict[str, Optimizer] = {}
        self._began = time.perf_counter()

    @abstractmethod
    def advance(self) -> Progress:
        """Take one step."""

    @property
    def elapsed(self) -> float:
        """Seconds since the training began or went on."""
        return time.perf_counter() - self._began

    def run(
        self,
        checkpoint: str | Path | None,
        on_progress: Callable[[Progress], bool | None] | None,
    ) -> None:
        """Go to the end, or as far as the caller or Ctrl-C lets it.

        Args:
            checkpoint: File to go on from if it exists, and to write.
            on_progress: Called after each step; False ends the training.

        Raises:
            ArgumentError: If the checkpoint is of another training.
            FileError: If the checkpoint cannot be read or written.
        """
        path = None if checkpoint is None else Path(checkpoint)
        if path is not None and path.exists():
            self._resume(path)
        self._began = time.perf_counter()
        going = True
        try:
            while self.step < self.steps and going:
                progress = self.advance()
                if path is not None and self.step % self.config.checkpoint_every == 0:
                    self._save(path)
                going = on_progress is None or on_progress(progress) is not False
        except KeyboardInterrupt:
            pass
        self.seconds += self.elapsed
        if path is not None:
            self._save(path)

    def remember(self, losses: dict[str, float]) -> None:
        """Keep the losses of this step, if it is one of those that are kept."""
        if self.step % HISTORY_EVERY == 0 or self.step == self.steps:
            self.history.append({"step": self.step, **losses})

    def record(self) -> dict[str, Any]:
        """The whole configuration, the data's digest and size, versions, seconds, losses."""
        return {
            "config": dataclasses.asdict(self.config),
            "status": "finished" if self.step == self.steps else "cancelled",
            "steps": self.step,
            "data": {"images": len(self.images), "sha256": self.digest},
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "seconds": round(self.seconds, 3),
            "history": self.history,
        }

    def _save(self, path: Path) -> None:
        facts = {
            "step": self.step,
            "seconds": self.seconds,
            "data": self.digest,
            "history": self.history,
        }
        save_checkpoint(
            path, self.config, modules=self.modules, optimizers=self.optimizers, facts=facts
        )

    def _resume(self, path: Path) -> None:
        facts = load_checkpoint(
            path,
            self.config,
            modules=self.modules,
            optimizers=self.optimizers,
            data=self.digest,
        )
        self.step, self.seconds = facts["step"], facts["seconds"]
        self.history = facts["history"]
