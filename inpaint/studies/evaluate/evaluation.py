"""All methods on the same damaged images, which none of them was trained on."""

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
from inpaint.generators import AnyGenerator
from inpaint.metrics import Metrics, compare_images
from inpaint.network import InpaintingNetwork
from inpaint.operators import Mask
from inpaint.studies.baselines import BASELINES, UNTRAINED, Training, fit_baseline
from inpaint.studies.evaluate.estimates import ESTIMATES, Search, active_share
from inpaint.types import Measurement, Progress

BATCH = 20
"""Images that are searched together."""

METHODS = (*ESTIMATES, *BASELINES)
"""The names of all methods, in the order of tables."""

OnProgress = Callable[[int, int, str], bool | None]


@dataclass(frozen=True)
class Result:
    """One method's images.

    Attributes:
        name: A name of `METHODS`.
        title: What to call it.
        images: Values in 0 to 1; none where it did not run. [B, C, H, W]
        metrics: How far each image is from the ideal one.
        seconds: Wall time of one image, without training.
        fit_seconds: Wall time of learning from the training images.
        settings: What was chosen on images put aside from the training images.
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
    methods: Sequence[str] = METHODS,
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
            settings for it; the estimates are not told.
        config: How to search.
        methods: Names from `METHODS`.
        on_progress: Called with the images done, their number and the task; if it returns
            False the evaluation ends, with the images that all methods have restored.

    Raises:
        ArgumentError: If an image is among the training images, or a name is no method.
        ShapeError: If shapes do not fit, or the measurement has no ideals or no shared mask.
    """
    mask = _check(measurement, generator, network, training, methods)
    watch = _Watch(on_progress, len(measurement))
    data = None
    if training is not None:
        data = Training(images=training, mask=mask, noise=noise, seed=config.seed)
    made = [_prepare(name, generator, network, data, watch) for name in methods]
    # No method sees the ideal images.
    blind = replace(measurement, ideal=None)
    batches: list[_Batch] = []
    for first in range(0, len(measurement), BATCH):
        part = blind[slice(first, first + BATCH)]
        search = Search(part, generator, config, network, on_progress=watch.searching(first))
        batch = _restore(made, search, partial(watch.report, first))
        if watch.cancelled:
            break
        batches.append(batch)
    done = measurement[slice(0, sum(len(batch.search.measurement) for batch in batches))]
    return Evaluation(
        measurement=done,
        results=tuple(_collect(method, batches, done, mask) for method in made),
        cancelled=watch.cancelled,
        **_describe_searches([batch.search for batch in batches]),
    )


class _Watch:
    """Progress, and whether the caller wants an end."""

    def __init__(self, on_progress: OnProgress | None, total: int) -> None:
        self.cancelled = False
        self._on_progress = on_progress
        self._total = total

    def report(self, done: int, task: str) -> bool:
        """Tell the caller; False means that the work shall end."""
        if self._on_progress is not None and self._on_progress(done, self._total, task) is False:
            self.cancelled = True
        return not self.cancelled

    def searching(self, done: int) -> Callable[[Progress], bool]:
        """The same for the search of the images after the first `done`."""
        return lambda progress: self.report(done, f"searching: {progress.stage}")


@dataclass(frozen=True)
class _Batch:
    """What the methods made of some images; a name is missing where a method did not run."""

    search: Search
    images: dict[str, Tensor]
    seconds: dict[str, float]


@dataclass(frozen=True)
class _Method:
    """A method ready to restore, and the result without its images."""

    result: Result
    images: Callable[[Search], Tensor] | None = None


def _check(
    measurement: Measurement,
    generator: AnyGenerator,
    network: InpaintingNetwork | None,
    training: Tensor | None,
    methods: Sequence[str],
) -> Mask:
    """Refuse what cannot be evaluated, or would flatter a method."""
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
        known = {_fingerprint(image) for image in training}
        shared = sum(_fingerprint(image) in known for image in ideal)
        if shared:
            raise ArgumentError(
                f"{shared} of the {len(ideal)} images are training images of the baselines as "
                "well; keep them apart, such as with --hold-out."
            )
    return mask


def _fingerprint(image: Tensor) -> bytes:
    return image.detach().cpu().float().contiguous().numpy().tobytes()


def _prepare(
    name: str,
    generator: AnyGenerator,
    network: InpaintingNetwork | None,
    training: Training | None,
    watch: _Watch,
) -> _Method:
    """A method made ready, or why it cannot be."""
    result = Result(name=name, title=(ESTIMATES | BASELINES)[name].title)
    estimate = ESTIMATES.get(name)
    if estimate is not None:
        reason = estimate.unavailable(generator)
        if reason is None and estimate.needs_network and network is None:
            reason = "It needs an inpainting network, and there is none for this generator."
        if reason is not None:
            return _Method(replace(result, not_run=reason))
        return _Method(result, estimate.images)
    if name not in UNTRAINED and training is None:
        return _Method(replace(result, not_run="It learns from images, and none were given."))
    if not watch.report(0, f"fitting: {result.title}"):
        return _Method(replace(result, not_run="It was stopped."))
    start = time.perf_counter()
    try:
        baseline = fit_baseline(name, training)
    except BackendError as error:
        return _Method(replace(result, not_run=str(error)))
    result = replace(result, fit_seconds=time.perf_counter() - start, settings=baseline.settings)
    return _Method(result, lambda search: baseline.restore(search.measurement.values, search.mask))


def _restore(methods: Sequence[_Method], search: Search, report: Callable[[str], bool]) -> _Batch:
    """Some images by all methods, as far as the caller lets it go on."""
    batch = _Batch(search, {}, {})
    for method in methods:
        name = method.result.name
        if method.images is not None and report(f"restoring: {method.result.title}"):
            images, batch.seconds[name] = search.timed(method.images)
            batch.images[name] = images.detach().cpu()
    return batch


def _collect(method: _Method, batches: Sequence[_Batch], done: Measurement, mask: Mask) -> Result:
    """A method's images of all batches, held against the ideal ones."""
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


def _describe_searches(searches: Sequence[Search]) -> dict[str, Any]:
    """What the searches ran on, and what they found on average."""
    found = [search.found for search in searches if search.found is not None]
    if not found:
        return {}
    latents = torch.cat([restoration.best_latents for restoration in found])
    return {
        "backend": found[0].backend,
        "noise_level": float(torch.cat([part.noise_level for part in found]).mean()),
        "active_share": active_share(searches[0].generator, latents),
    }
