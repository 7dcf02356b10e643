"""The minima that the starts of an image ended at, told apart while the search goes on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from inpaint.search.evidence import LOW_COST, Evidence
from inpaint.search.modes import SAME_IMAGE

HIGHEST = 5.0
"""A start that stalled in the valley of a low minimum, at most this above the lowest cost, in
nats x 2, is counted there."""

NONE = -1
"""Stands for a minimum that is not low."""

COMPARED = 2**22
"""Pairs of vectors that are compared together, to limit memory."""

SAME_LATENTS = 0.05
"""Distance of latent vectors up to which starts ended at one minimum. Its pictures differ by a
fraction of `SAME_IMAGE`, so comparing latent vectors saves drawing most of them."""


class Minima:
    """The low minima of one image, by their pictures, as block after block of starts arrives.

    The result depends on the starts and their order alone.

    Args:
        draw: The generator. [K, D] -> [K, P]
    """

    def __init__(self, draw: Callable[[np.ndarray], np.ndarray]) -> None:
        self._draw = draw
        self._starts = 0
        self._lowest = np.inf
        self._costs = np.empty(0)  # [M], of each minimum
        self._counts = np.empty(0, dtype=int)  # [M]
        self._pictures = _Rows()  # [M, P]
        # A valley is wide: restarts stop at several places in it, of one picture.
        self._places = _Rows()  # [L, D]
        self._minima = np.empty(0, dtype=int)  # [L], the minimum of each place, or NONE

    def add(self, costs: np.ndarray, latents: np.ndarray) -> None:
        """Count a block of starts.

        Args:
            costs: J where each start ended; +inf where it failed. [R]
            latents: Where that was. [R, D]
        """
        self._starts += len(costs)
        self._lowest = min(self._lowest, float(costs.min()))
        order = np.argsort(costs, kind="stable")
        order = order[np.isfinite(costs[order]) & (costs[order] <= self._lowest + HIGHEST)]
        if len(order) == 0:
            return
        costs, latents = costs[order], latents[order]
        low = costs <= self._lowest + LOW_COST
        known = len(self._places)
        places = self._places.join(latents, SAME_LATENTS)
        self._minima = np.append(self._minima, np.full(len(self._places) - known, NONE))
        _, first = np.unique(places, return_index=True)
        first.sort()
        unsure = (places[first] >= known) | (low[first] & (self._minima[places[first]] == NONE))
        first = first[unsure]
        if len(first):
            pictures = self._draw(latents[first])
            limit = SAME_IMAGE * np.sqrt(pictures.shape[1])
            self._minima[places[first]] = self._pictures.join(pictures, limit, adds=low[first])
            found = len(self._pictures) - len(self._counts)
            self._counts = np.append(self._counts, np.zeros(found, dtype=int))
            self._costs = np.append(self._costs, np.full(found, np.inf))
        minima = self._minima[places]
        counted = minima != NONE
        np.add.at(self._counts, minima[counted], 1)
        np.minimum.at(self._costs, minima[counted], costs[counted])

    @property
    def evidence(self) -> Evidence:
        """How often the minima were met so far."""
        return Evidence.of(self._starts, self._costs, self._counts)


class _Rows:
    """Distinct vectors, in memory that doubles when it is full."""

    def __init__(self) -> None:
        self._memory = np.empty((0, 0))
        self._squares = np.empty(0)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> np.ndarray:
        """The vectors. [K, D]"""
        return self._memory[: self._count]

    def join(self, vectors: np.ndarray, limit: float, adds: np.ndarray | bool = True) -> np.ndarray:
        """Number vectors by the first row within the limit, each after those before it.

        Args:
            vectors: [R, D]
            limit: Largest Euclidean distance of vectors that count as one.
            adds: Whether a vector that is far from all rows becomes one. [R]

        Returns:
            A row for each vector, or NONE. [R]
        """
        squares = np.square(vectors).sum(1)
        joined = np.full(len(vectors), NONE)
        if self._count:
            others, rows = self._squares[: self._count], self.rows
            size = max(1, COMPARED // self._count)
            for first in range(0, len(vectors), size):
                part = slice(first, first + size)
                products = 2 * vectors[part] @ rows.T
                near = squares[part, None] + others - products <= limit**2
                joined[part] = np.where(near.any(1), near.argmax(1), NONE)
        left = np.flatnonzero(joined == NONE)
        among = squares[left, None] + squares[left] - 2 * vectors[left] @ vectors[left].T
        adds, rows = np.broadcast_to(adds, len(vectors))[left], joined[left]
        new: list[int] = []
        for place, near in enumerate(among <= limit**2):
            if adds[place] and rows[place] == NONE:
                # A vector near several new rows joins the first.
                rows[near & (rows == NONE)] = self._count + len(new)
                rows[place] = self._count + len(new)
                new.append(int(left[place]))
        joined[left] = rows
        self._append(vectors[new], squares[new])
        return joined

    def _append(self, vectors: np.ndarray, squares: np.ndarray) -> None:
        needed = self._count + len(vectors)
        if needed > len(self._memory):
            memory = np.empty((2 * needed, vectors.shape[1]), dtype=vectors.dtype)
            if self._count:
                memory[: self._count] = self.rows
            self._squares = np.append(self._squares[: self._count], np.empty(2 * needed))
            self._memory = memory
        self._memory[self._count : needed] = vectors
        self._squares[self._count : needed] = squares
        self._count = needed
