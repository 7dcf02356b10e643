"""What stored pictures become for a generator: its channels, range, ink and size.

Each picture is judged alone, once it is known which of its pixels are observed: neither lost pixels
nor other pictures have a say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from inpaint.errors import FileError, InpaintError
from inpaint.files.checks import list_names
from inpaint.files.fitting import Fitted, centre_by_mass, crop_and_scale
from inpaint.files.normalize import (
    UNIT,
    Meaning,
    ReadOptions,
    check_ink,
    find_ink,
    find_range,
)
from inpaint.files.paper import Pixels, Votes
from inpaint.files.stored import StoredPicture, StoredSet
from inpaint.generators.kind import PictureKind
from inpaint.noise import estimate_noise
from inpaint.operators import Mask
from inpaint.types import ImageSet, ImageShape, Skipped

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey (ITU-R BT.601)."""

HOLE = 16
"""Least number of lost pixels whose single value looks like a hole."""

FAR_LOST, REACH = 1.4, 6.0
"""Lost pixels this far from mid-grey, and this many standard deviations of the noise, are marks."""
OUTSIDE = 0.6
"""Values further from mid-grey than this are no usual ones."""

Observed = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ReadPicture:
    """How one picture was read.

    Attributes:
        name: What to call it.
        image: As the generator's images are. [C, H, W]
        ideal: The undamaged image, if it is known. [C, H, W]
        stored: The picture as stored, in 0 to 1, for a look at it. [C, H', W']
        observed: What is known to be observed of the image; None if nothing is known. [H, W]
        fitted: How it was fitted; None if it has the generator's size.
        notes: What was decided.
        doubts: What is doubtful.
    """

    name: str
    image: Pixels
    ideal: Pixels | None
    stored: Pixels
    observed: Observed | None
    fitted: Fitted | None
    notes: tuple[str, ...]
    doubts: tuple[str, ...]


def normalize(
    stored: StoredSet,
    kind: PictureKind | None,
    image_shape: ImageShape | None,
    *,
    mask: Mask | None = None,
    damaged: bool = False,
    options: ReadOptions | None = None,
) -> tuple[ImageSet, tuple[ReadPicture, ...]]:
    """The pictures as a generator's images.

    Args:
        stored: Pictures as they are stored.
        kind: What the generator's images are; None keeps the ink as it is.
        image_shape: Their shape, to which other pictures are fitted; None keeps each size.
        mask: What is observed of the pictures as stored, or of the fitted ones; None if that is
            not known.
        damaged: Whether the pictures have holes already, so that they are no ideals.
        options: How to understand the numbers.

    Returns:
        The images, and how each of them was read. A picture of a file that cannot be read is left
        out if there are others.

    Raises:
        FileError: If no picture can be read, or they have different sizes.
    """
    options = ReadOptions() if options is None else options
    observed = None if mask is None else mask.observed.all(-3).cpu().numpy()
    found: list[ReadPicture] = []
    kept: list[int] = []
    skipped = list(stored.skipped)
    for index, picture in enumerate(stored.pictures):
        votes = observed if observed is None or observed.ndim == 2 else observed[index]
        label = picture.name or (f"image {stored.numbers[index]}" if len(stored) > 1 else "")
        try:
            found.append(
                read_picture(
                    picture,
                    kind,
                    image_shape,
                    observed=votes,
                    damaged=damaged,
                    options=options,
                    name=label or stored.source,
                )
            )
            kept.append(index)
        except InpaintError as error:
            if stored.given or stored.total == 1:
                raise
            skipped.append(Skipped(label, str(error)))
    if not found:
        raise FileError(f"{stored.source} holds no picture that can be read: {skipped[0].reason}")
    part = stored[kept]
    shapes = {each.image.shape for each in found}
    if len(shapes) > 1:
        odd = next(each for each in found if each.image.shape != found[0].image.shape)
        raise FileError(
            f"{stored.source} holds pictures of different sizes ({found[0].name} and "
            f"{odd.name}); scale them to one size."
        )
    labels = tuple(each.name for each in found)
    ideals = None
    if all(each.ideal is not None for each in found):
        ideals = torch.from_numpy(np.stack([each.ideal for each in found]))  # type: ignore[misc]
    images = ImageSet(
        images=torch.from_numpy(np.stack([each.image for each in found])),
        ideal=ideals if stored.whole or part.pictures[0].ideal is not None else None,
        source=stored.source,
        notes=(*stored.notes, *_merged([each.notes for each in found], labels)),
        numbers=part.numbers,
        names=tuple(p.name for p in part.pictures) if _named(stored) else (),
        doubts=_merged([each.doubts for each in found], labels),
        skipped=tuple(skipped),
    )
    return images, tuple(found)


def read_picture(
    picture: StoredPicture,
    kind: PictureKind | None,
    image_shape: ImageShape | None,
    *,
    observed: Observed | None,
    damaged: bool,
    options: ReadOptions,
    name: str,
) -> ReadPicture:
    """One picture as a generator's image; see `normalize`."""
    values, size = picture.values, picture.values.shape[1:]
    # A mask for the fitted image says nothing of the pixels as stored.
    own = observed if observed is not None and observed.shape == size else None
    finite: Votes = np.asarray(np.isfinite(values.astype(np.float64)).all(0))
    seen = finite if own is None else own
    votes = seen & finite
    _check_observed(seen, votes, name)
    everywhere = np.broadcast_to(votes, values.shape)
    meaning = find_range(values, everywhere, options, declared=picture.limits, name=name)
    notes, doubts = list(meaning.notes), list(meaning.doubts)
    unit = meaning.apply(values.astype(np.float64))
    holes = ~finite | (~seen & _marked(unit, seen, votes))
    unit = np.where(holes, np.nan, unit)
    if picture.opacity is not None:
        unit, note = _over_paper(unit, picture.opacity, kind, votes)
        notes.append(note)
    image, note = _with_channels(unit, None if image_shape is None else image_shape[0], name)
    notes += [note] * bool(note)
    ink = Meaning(UNIT)
    if kind is not None:
        known = replace(options, ink=options.ink or picture.ink)
        ink = find_ink(image.mean(0), votes, kind, known, name)
        notes, doubts = [*notes, *ink.notes], [*doubts, *ink.doubts]
        image = ink.apply(image)
    paper = None if kind is None else kind.paper
    if paper is not None and picture.ideal is None:
        # What is observed of a whole picture may show no ink; the picture itself must.
        whole = votes if damaged or holes.any() else np.ones(size, dtype=bool)
        check_ink(image.mean(0), whole, name)
    fitted = None
    if image_shape is not None and size != tuple(image_shape[1:]) and picture.ideal is None:
        hidden = votes if own is not None or not votes.all() else None
        image = np.where(holes, 0.5 if paper is None else paper, image)
        if paper is not None and image_shape[0] == 1:
            fitted = centre_by_mass(image[0], paper, image_shape, hidden, name)
        else:
            fitted = crop_and_scale(image, image_shape, hidden)
        image = fitted.image
        notes.append(fitted.note)
    known_ideal = None if damaged or holes.any() else image
    if picture.ideal is not None:
        known_ideal = _read_ideal(picture, meaning, ink, kind, options, name)
    elif own is not None and not (damaged or holes.any()):
        doubts += _suspect_hole(own, image, paper, name)
    if holes.any():
        if not damaged:
            notes.append("has holes already, so no ideal is known")
        if fitted is None and own is not None:
            image = np.where(holes, 0.0, image)
    if picture.understood and not ink.inverted:
        notes = []
    kept = None if own is None else votes
    if fitted is not None:
        kept = fitted.observed
    return ReadPicture(name, image, known_ideal, unit, kept, fitted, tuple(notes), tuple(doubts))


def _check_observed(seen: Votes, votes: Votes, name: str) -> None:
    """Require that every observed value is a number, and that there is one.

    Raises:
        FileError: If one is NaN or infinite; where, is said.
    """
    missing = seen & ~votes
    if missing.any():
        row, column = (int(axis[0]) for axis in missing.nonzero())
        raise FileError(
            f"{name} holds NaN or infinity at row {row}, column {column}, which is observed and "
            f"must be finite ({int(missing.sum())} such pixels); say with --mask that they are "
            "lost."
        )
    if not votes.any():
        raise FileError(f"{name} has no observed pixel.")


def _marked(unit: Pixels, seen: Votes, votes: Votes) -> Votes:
    """Lost pixels that hold a mark instead of a value, such as -1. [H, W]"""
    noise = estimate_noise(np.where(votes, unit, np.nan))
    apart = np.abs(unit - 0.5).max(0)
    marked: Votes = apart > FAR_LOST + REACH * noise
    # A value outside 0 to 1 that repeats exactly is a mark as well.
    values, counts = np.unique(apart[~seen], return_counts=True)
    for value in values[(counts >= HOLE) & (values > OUTSIDE)]:
        marked |= apart == value
    return marked


def _over_paper(
    unit: Pixels, opacity: Pixels, kind: PictureKind | None, votes: Votes
) -> tuple[Pixels, str]:
    """The picture over paper where it is transparent: white, or black under light ink. [C, H, W]"""
    opaque = votes & (opacity > 0.5)
    paper = 1.0
    if kind is not None and kind.paper is not None and opaque.any():
        grey = unit.mean(0)
        low, high = np.nanquantile(grey[opaque], [0.05, 0.95])
        if high - low < 0.5:
            # A single tone is ink, and paper is its opposite.
            paper = float(low + high < 1)
        else:
            # Paper is what lies beside the transparent part.
            edge = opaque & ndimage.binary_dilation(opacity <= 0.5)
            paper = float(np.nanmedian(grey[edge if edge.any() else opaque]) >= 0.5)
    name = "white" if paper else "black"
    return unit * opacity + paper * (1 - opacity), f"transparent on {name} paper"


def _with_channels(unit: Pixels, channels: int | None, name: str) -> tuple[Pixels, str]:
    """The picture with the generator's channels; the note says what was changed. [C, H, W]"""
    own = len(unit)
    if (
        own == 3
        and bool(np.array_equal(unit[0], unit[1], equal_nan=True))
        and bool(np.array_equal(unit[0], unit[2], equal_nan=True))
    ):
        unit, own = unit[:1], 1
    if channels in (None, own):
        return unit, ""
    if channels == 1 and own == 3:
        return np.tensordot(LUMINANCE, unit, axes=1)[None], "colours made grey"
    if channels == 3 and own == 1:
        return np.repeat(unit, 3, axis=0), "grey, taken for all three colours"
    raise FileError(
        f"{name} has {own} channels; the generator makes images of {channels}. Choose another "
        "generator."
    )


def _read_ideal(
    picture: StoredPicture,
    meaning: Meaning,
    ink: Meaning,
    kind: PictureKind | None,
    options: ReadOptions,
    name: str,
) -> Pixels:
    """The ideal, read like the picture.

    Raises:
        FileError: If it would be read otherwise by itself.
    """
    ideal = picture.ideal
    assert ideal is not None
    whole = np.ones(ideal.shape, dtype=bool)
    finite: Votes = np.asarray(np.isfinite(ideal.astype(np.float64)).all(0))
    _check_observed(whole[0], finite, f"{name}, ideal")
    own = find_range(ideal, whole, options, declared=picture.limits, name=f"{name}, ideal")
    notes = [*own.notes]
    unit = own.apply(ideal.astype(np.float64))
    if kind is not None:
        alone = find_ink(unit.mean(0), whole[0], kind, options, name)
        notes += alone.notes
    read = [*meaning.notes, *ink.notes]
    if notes != read:
        raise FileError(
            f"{name} is read as {', '.join(read)}, but its ideal as {', '.join(notes)}; both must "
            "be read alike. Set --ink, --range or --orientation."
        )
    return ink.apply(unit)


def _suspect_hole(observed: Observed, image: Pixels, paper: float | None, name: str) -> list[str]:
    """Whether the lost part of a picture seems to be a hole already, in words."""
    lost = ~observed
    if lost.sum() < HOLE or np.ptp(image[:, lost], axis=1).any():
        return []
    if paper is not None and abs(float(image[:, lost].mean()) - paper) < 0.02:
        # Lost paper is a hole only if strokes end at its edge.
        beside = np.zeros_like(lost)
        for axis in (0, 1):
            for step in (1, -1):
                beside |= np.roll(lost, step, axis)
        cut = observed & beside & (np.abs(image.mean(0) - paper) > 0.5)
        if cut.sum() < 3:
            return []
    return [
        f"the lost part of {name} holds a single value; if that is a hole already, and not the "
        "truth, say --damaged"
    ]


def _merged(texts: Sequence[tuple[str, ...]], labels: Sequence[str]) -> tuple[str, ...]:
    """Each note once; one that is not true of all says of which."""
    order = list(dict.fromkeys(note for each in texts for note in each))
    merged = []
    for note in order:
        of = [label for each, label in zip(texts, labels, strict=True) if note in each]
        if len(of) == len(texts) or any(label in note for label in of):
            merged.append(note)
        else:
            merged.append(f"{note} ({list_names(of, 3)})")
    return tuple(merged)


def _named(stored: StoredSet) -> bool:
    """Whether the pictures are several files, each with a name."""
    return stored.total > 1 and all(picture.name for picture in stored.pictures)
