"""All methods on the same damaged images, which no method was trained on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from inpaint.checks import check_choice
from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError, BackendError, ShapeError
from inpaint.generators import AnyGenerator, Generator
from inpaint.metrics import Metrics, compare_images
from inpaint.network.model import InpaintingNetwork
from inpaint.operators.mask import Mask, require_mask
from inpaint.posterior.estimates import ESTIMATES
from inpaint.posterior.estimator import Estimator
from inpaint.studies.baselines.catalog import BASELINES, UNTRAINED, fit_baseline
from inpaint.studies.baselines.training_set import TrainingSet
from inpaint.training.data import count_shared
from inpaint.types import Measurement, OnProgress, Progress, asks_to_stop

BATCH = 20
"""Images that are searched together."""

NETWORK = "network"
"""The inpainting network's own image, without a search."""

METHODS = (*ESTIMATES, NETWORK, *BASELINES)
"""The names of all methods, in the order of tables."""

USUAL_METHODS = tuple(name for name in METHODS if name not in ("mean", "median"))
"""The default methods; the others assume that the generator can draw the image."""


@dataclass(frozen=True)
class Result:
    """One method's images.

    Attributes:
        name: A name of `METHODS`.
        title: Its name in tables and figures.
        images: Values in 0 to 1; None if it did not run. [B, C, H, W]
        metrics: How far each image is from the ideal one.
        seconds: Wall time of one image, without training.
        fit_seconds: Wall time of learning from the training images.
        settings: What was chosen on held-out training images.
        not_run: Why it did not run.
    """

    name: str
    title: str
    images: Tensor | None = None
    metrics: tuple[Metrics, ...] = ()
    seconds: float | None = None
    fit_seconds: float | None = None
    settings: dict[str, float] | None = None
    not_run: str | None = None


@dataclass(frozen=True)
class Evaluation:
    """What all methods made of the same images.

    Attributes:
        measurement: The damaged images that all methods restored, with their ideals.
        results: One per method.
        backend: What searched; "" if nothing did.
        noise_level: Mean of the estimated noise levels, which count the misfit as noise.
        active_share: Share of the generator's hidden units that are on at the latent vectors
            found; None where nothing was searched.
        cancelled: Whether it was cut short; the measurement then holds the images reached.
    """

    measurement: Measurement
    results: tuple[Result, ...]
    backend: str = ""
    noise_level: float | None = None
    active_share: float | None = None
    cancelled: bool = False


def evaluate(
    measurement: Measurement,
    generator: AnyGenerator,
    *,
    network: InpaintingNetwork | None = None,
    training: Tensor | None = None,
    noise: float = 0.0,
    config: RestoreConfig = RestoreConfig(),  # noqa: B008 (frozen)
    methods: Sequence[str] = USUAL_METHODS,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Restore damaged images by every method, and compare with the ideal ones.

    Args:
        measurement: Images damaged by one mask that all share, with their ideals.
        generator: What the estimates search.
        network: What fills in lost pixels without a search; without it, the methods that need
            it do not run.
        training: Undamaged images that the baselines learn from; without them, those that
            learn do not run. [K, C, H, W]
        noise: Standard deviation of the measurement's noise. The baselines choose their
            settings for it; the estimates do not know it.
        config: How to search.
        methods: Names from `METHODS`.
        on_progress: Called between methods and during searches; if it returns False the
            evaluation ends, with the images that all methods have restored.

    Raises:
        ArgumentError: If an image is among the training images, or a name is not a method.
        ShapeError: If shapes do not fit, or the measurement has no ideals or no shared mask.
    """
    mask = _check(measurement, generator, network, training, methods)
    watch = _Watch(on_progress, len(measurement))
    data = None
    if training is not None:
        data = TrainingSet(images=training, mask=mask, noise=noise, seed=config.seed)
    made = [_prepare(name, network, data, watch) for name in methods]
    # No method sees the ideal images.
    blind = replace(measurement, ideal=None)
    batches: list[_Batch] = []
    for first in range(0, len(measurement), BATCH):
        estimator = Estimator(
            blind[first : first + BATCH],
            generator,
            config,
            network=network,
            on_progress=watch.computing(first),
        )
        batch = _restore(made, estimator, partial(watch.report, first))
        if watch.cancelled:
            break
        batches.append(batch)
    done = measurement[: sum(len(batch.estimator.measurement) for batch in batches)]
    return Evaluation(
        measurement=done,
        results=tuple(_collect(method, batches, done, mask) for method in made),
        cancelled=watch.cancelled,
        **_describe_searches([batch.estimator for batch in batches]),
    )


class _Watch:
    """Progress, and whether the caller wants to stop."""

    def __init__(self, on_progress: OnProgress | None, total: int) -> None:
        self.cancelled = False
        self._on_progress = on_progress
        self._total = total

    def report(self, done: int, task: str) -> bool:
        """Report to the caller; False means that the work must end."""
        if self._on_progress is not None:
            answer = self._on_progress(Progress(task, done, self._total))
            self.cancelled = self.cancelled or asks_to_stop(answer)
        return not self.cancelled

    def computing(self, done: int) -> OnProgress:
        """Progress of a search or sampling of the images after the first `done`."""
        return lambda progress: self.report(done, f"computing: {progress.stage}")


class _Stopped(Exception):
    """The caller has stopped the fit of a baseline, which then has no use."""


@dataclass(frozen=True)
class _Batch:
    """What the methods made of some images; a name is missing where a method did not run."""

    estimator: Estimator
    images: dict[str, Tensor]
    seconds: dict[str, float]


@dataclass(frozen=True)
class _Method:
    """A method ready to restore, and the result without its images."""

    result: Result
    images: Callable[[Estimator], Tensor] | None = None


def _check(
    measurement: Measurement,
    generator: AnyGenerator,
    network: InpaintingNetwork | None,
    training: Tensor | None,
    methods: Sequence[str],
) -> Mask:
    """Require inputs that can be evaluated and do not flatter a method."""
    for name in methods:
        check_choice("the method", name, METHODS)
    if not methods or len(set(methods)) < len(methods):
        raise ArgumentError(
            f"methods is {', '.join(methods) or 'empty'}; name one or more, each of them once."
        )
    mask, ideal = measurement.operator, measurement.ideal
    if not isinstance(mask, Mask) or not mask.shared or ideal is None or not len(measurement):
        raise ShapeError(
            "An evaluation needs images that share a mask, and their ideals; give those."
        )
    if tuple(generator.image_shape) != mask.image_shape:
        raise ShapeError(
            f"The generator {generator.name!r} makes images of shape {generator.image_shape}, the "
            f"images have shape {mask.image_shape}; choose a generator of that shape."
        )
    if network is not None and network.image_shape != mask.image_shape:
        raise ShapeError(
            f"The network {network.name!r} fills in images of shape {network.image_shape}, these "
            f"have shape {mask.image_shape}; choose a network of that shape."
        )
    if training is not None:
        shared = count_shared(training, ideal)
        if shared:
            raise ArgumentError(
                f"{shared} of the {len(ideal)} images are training images of the baselines as "
                "well; keep them apart, such as with --hold-out."
            )
    return mask


def _prepare(
    name: str, network: InpaintingNetwork | None, training: TrainingSet | None, watch: _Watch
) -> _Method:
    """A method ready to restore, or the reason why it cannot run."""
    if name in ESTIMATES or name == NETWORK:
        estimate = ESTIMATES.get(name)
        result = Result(name, "inpainting network" if estimate is None else estimate.title)
        if (estimate is None or estimate.network) and network is None:
            reason = "It needs an inpainting network, and there is none for this generator."
            return _Method(replace(result, not_run=reason))
        if estimate is None:
            return _Method(result, lambda estimator: estimator.filled)
        return _Method(result, lambda estimator: estimator.estimate(name).images)
    result = Result(name, BASELINES[name].title)
    if name not in UNTRAINED and training is None:
        return _Method(replace(result, not_run="It learns from images, and none were given."))

    def report(progress: Progress | None = None) -> None:
        if not watch.report(0, f"fitting: {result.title}"):
            raise _Stopped

    start = time.perf_counter()
    try:
        report()
        baseline = fit_baseline(name, training, on_progress=report)
    except _Stopped:
        return _Method(replace(result, not_run="It was stopped."))
    except BackendError as error:
        return _Method(replace(result, not_run=str(error)))
    result = replace(result, fit_seconds=time.perf_counter() - start, settings=baseline.settings)

    def restore(estimator: Estimator) -> Tensor:
        measurement = estimator.measurement
        return baseline.restore(
            measurement.values, require_mask(measurement.operator, "a baseline")
        )

    return _Method(result, restore)


def _restore(
    methods: Sequence[_Method], estimator: Estimator, report: Callable[[str], bool]
) -> _Batch:
    """Restore some images by all methods, until the caller stops it."""
    batch = _Batch(estimator, {}, {})
    for method in methods:
        name, make = method.result.name, method.images
        if make is not None and report(f"restoring: {method.result.title}"):
            images, batch.seconds[name] = estimator.timed(partial(make, estimator))
            batch.images[name] = images.detach().cpu()
    return batch


def _collect(method: _Method, batches: Sequence[_Batch], done: Measurement, mask: Mask) -> Result:
    """A method's images of all batches, compared with the ideal ones."""
    if method.images is None or not batches:
        return method.result
    name = method.result.name
    images = torch.cat([batch.images[name] for batch in batches])
    assert done.ideal is not None
    return replace(
        method.result,
        images=images,
        metrics=tuple(
            compare_images(output, ideal, mask.observed)
            for output, ideal in zip(images, done.ideal, strict=True)
        ),
        seconds=sum(batch.seconds[name] for batch in batches) / len(done),
    )


def _describe_searches(estimators: Sequence[Estimator]) -> dict[str, Any]:
    """What the searches ran on, and what they found on average."""
    found = [each.searched for each in estimators if each.searched is not None]
    if not found:
        return {}
    latents = torch.cat([search.best_latents for search in found])
    return {
        "backend": found[0].backend,
        "noise_level": float(torch.cat([search.noise_level for search in found]).mean()),
        "active_share": active_share(estimators[0].generator, latents),
    }


def active_share(generator: AnyGenerator, latents: Tensor) -> float | None:
    """Mean share of the hidden units that are not zero, which no kernel can skip.

    Args:
        generator: The result is None if it has no hidden layers.
        latents: Where to look. [B, D]
    """
    if not isinstance(generator, Generator) or len(generator.layers) < 2:
        return None
    values, hidden = latents.to(generator.layers[0].weight), []
    for layer in generator.layers[:-1]:
        values = layer.forward(values)
        hidden.append(values != 0)
    return float(torch.cat(hidden, dim=1).double().mean())
