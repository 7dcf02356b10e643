"""A training in progress: the loop over its steps, with checkpoints, progress and a record."""

from __future__ import annotations

import dataclasses
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from inpaint.checks import check_device
from inpaint.files.safetensors import check_replaceable
from inpaint.training.checkpoint import load_checkpoint, save_checkpoint
from inpaint.training.data import check_images, digest_images
from inpaint.types import OnProgress, Progress, asks_to_stop

HISTORY_EVERY = 100
"""Steps from one entry of the loss history to the next."""

FINAL_RATE = 0.01
"""Share of the learning rate that is left at the end."""


class TrainingSession(ABC):
    """A training in progress, in one stage or several.

    Args:
        images: Training images, 1 = paper, 0 = ink. [K, C, H, W]
        config: Settings, with `device` and `checkpoint_every`.
        stages: Number of steps of each stage, in order.
        start: Digest of the model that the training goes on from; "" if there is none.

    Attributes:
        step: Steps done, in all stages.
        seconds: Time spent in earlier runs.
        history: Losses after every `HISTORY_EVERY` steps and at the end.
        modules: Networks that a checkpoint holds, by name.
        optimizers: Optimizers that it holds, by name.

    Raises:
        ShapeError: If `images` is not [K, C, H, W] with at least one image.
        ArgumentError: If a pixel is outside 0 to 1, or the device does not exist.
    """

    def __init__(
        self, images: Tensor, config: Any, stages: Mapping[str, int], *, start: str = ""
    ) -> None:
        check_images(images)
        self.config = config
        self.stages = stages
        self.start = start
        self.digest = digest_images(images)
        self.images = images.to(check_device(config.device), torch.float32)
        self.step = 0
        self.seconds = 0.0
        self.history: list[dict[str, Any]] = []
        self.modules: dict[str, nn.Module] = {}
        self.optimizers: dict[str, Optimizer] = {}

    @abstractmethod
    def advance(self, stage: str, done: int, total: int) -> dict[str, float]:
        """Take one step.

        Args:
            stage: Name of the current stage.
            done: Steps done in this stage.
            total: Steps of this stage.

        Returns:
            The losses of the step, by name.
        """

    @property
    def steps(self) -> int:
        """Steps of all stages."""
        return sum(self.stages.values())

    def run(self, checkpoint: str | Path | None, on_progress: OnProgress | None) -> None:
        """Train to the end, or until the caller or Ctrl-C stops it.

        Args:
            checkpoint: File to resume from if it exists, and to write.
            on_progress: Called after each step; returning False ends the training.

        Raises:
            ArgumentError: If the checkpoint belongs to another training.
            FileError: If the checkpoint cannot be read or written.
        """
        path = None if checkpoint is None else Path(checkpoint)
        if path is not None:
            check_replaceable(path)
            if path.exists():
                self._resume(path)
        began = time.perf_counter()
        going = True
        try:
            while going and self.step < self.steps:
                stage, done, total = self._position()
                losses = self.advance(stage, done, total)
                self.step += 1
                if self.step % HISTORY_EVERY == 0 or self.step == self.steps:
                    self.history.append({"step": self.step, **losses})
                if path is not None and self.step % self.config.checkpoint_every == 0:
                    self._save(path)
                progress = Progress(stage, done + 1, total, _describe(losses))
                going = on_progress is None or not asks_to_stop(on_progress(progress))
        except KeyboardInterrupt:
            pass
        self.seconds += time.perf_counter() - began
        if path is not None:
            self._save(path)

    def record(self) -> dict[str, Any]:
        """The whole configuration, the data's digest and size, versions, seconds, losses."""
        return {
            "config": dataclasses.asdict(self.config),
            "status": "finished" if self.step == self.steps else "cancelled",
            "steps": self.step,
            "data": {"images": len(self.images), "sha256": self.digest},
            "start": self.start,
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "seconds": round(self.seconds, 3),
            "history": self.history,
        }

    def _position(self) -> tuple[str, int, int]:
        """The stage of the next step, the steps done in it, and its number of steps."""
        done = self.step
        for stage, total in self.stages.items():
            if done < total:
                return stage, done, total
            done -= total
        raise AssertionError("the training is finished")

    def _save(self, path: Path) -> None:
        facts = {
            "step": self.step,
            "seconds": self.seconds,
            "data": self.digest,
            "start": self.start,
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
            start=self.start,
        )
        self.step, self.seconds = facts["step"], facts["seconds"]
        self.history = facts["history"]


def _describe(losses: Mapping[str, float]) -> str:
    """Losses in words, such as "variational -412.3, inversion 0.02134"."""
    return ", ".join(f"{name.replace('_', ' ')} {loss:.4g}" for name, loss in losses.items())


def learning_rate(step: int, steps: int, highest: float, warmup: int) -> float:
    """A linear warm-up, then a cosine.

    Args:
        step: Steps done.
        steps: Steps in all.
        highest: The highest rate.
        warmup: Steps of the warm-up.
    """
    cosine = FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * step / steps))
    return highest * min(1, (step + 1) / warmup) * cosine


def update_average(average: nn.Module, module: nn.Module, keep: float, step: int) -> None:
    """Update a running average of the weights in place.

    Args:
        average: The average, which is changed.
        module: The current weights.
        keep: Share of the old average; 0 copies the current weights.
        step: Steps done. Early averages are short, so that the first weights are soon forgotten.
    """
    share = min(keep, (1 + step) / (10 + step)) if keep else 0.0
    with torch.no_grad():
        for mean, value in zip(average.parameters(), module.parameters(), strict=True):
            mean.lerp_(value, 1 - share)
