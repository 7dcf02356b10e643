"""The layers of a generator among arrays that another program named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

DECODER = re.compile(r"(decoder|dec|generator|gen|netg)(?![a-z])", re.IGNORECASE)
OTHER = re.compile(
    r"(encoder|enc|discriminator|disc|critic|netd|(fc_?)?(z_?)?"
    r"(mu|mean|(log_?)?(var|variance|sigma|std)))(?![a-z])",
    re.IGNORECASE,
)
"""Beginnings of names by which a generator and what is trained with it are told apart."""
LETTERS = {"g": "decoder", "d": "other"}
"""Names that tell them apart where both are there; a D alone can be a layer's name."""

MAX_STEPS = 10_000
"""Most steps of the search for an order; a file that needs more is not plain."""
MAX_LAYERS = 200

Sizes = Mapping[str, tuple[int, int]]
"""Numbers of inputs and outputs of layers, by their names."""


@dataclass(frozen=True)
class Choice:
    """Names of layers that can be a generator's.

    Attributes:
        names: Those chosen.
        left_out: Those of an encoder or a discriminator beside it.
        groups: If not empty, the choice is not plain: these are the parts.
    """

    names: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def choose_part(names: Sequence[str]) -> Choice:
    """Choose the layers of a decoder or generator, where names tell of more than one network.

    Args:
        names: Names of layers, with points between their parts.
    """
    words = {word.lower() for name in names for word in name.split(".")}
    letters = LETTERS if LETTERS.keys() <= words else {}
    roles = {name: _role(name, letters) for name in names}
    decoder = tuple(name for name in names if roles[name] == "decoder")
    other = tuple(name for name in names if roles[name] == "other")
    if decoder and len(decoder) + len(other) == len(names):
        return Choice(decoder, left_out=other)
    parts = _own_parts(names)
    # Parts that hold layers of their own are networks, but block1 and block2 are one.
    networks = {re.sub(r"_?\d+", "", each[0]) for each in parts if len(each) > 1}
    plain = len(networks) < 2 and len(other) in (0, len(names))
    groups = () if plain else tuple(dict.fromkeys(each[0] for each in parts))
    return Choice(tuple(names), groups=groups)


def find_orders(sizes: Sizes) -> list[tuple[str, ...]]:
    """The orders in which each layer takes as many numbers as the one before gives.

    Names that differ first in a number follow one another by that number: fc2 before fc10.

    Returns:
        No order, one, or two if there are more or too many layers to tell.
    """
    names = tuple(sizes)
    if len(names) > MAX_LAYERS:
        return [names, names]
    before = {name: {each for each in names if _precedes(each, name)} for name in names}
    found: list[tuple[str, ...]] = []
    waiting: list[tuple[str, ...]] = [()]
    for _ in range(MAX_STEPS):
        if not waiting or len(found) == 2:
            return found
        order = waiting.pop()
        if len(order) == len(names):
            found.append(order)
            continue
        placed = set(order)
        waiting += [
            (*order, name)
            for name in names
            if name not in placed
            and before[name] <= placed
            and (not order or sizes[name][0] == sizes[order[-1]][1])
        ]
    # The search was cut short, so nothing says that an order is the only one.
    return [names, names]


def natural_order(names: Iterable[str]) -> list[str]:
    """Names in alphabetical order, with numbers by their value."""
    return sorted(names, key=lambda name: [(text, int(n or -1)) for text, n in _tokens(name)])


def _role(name: str, letters: Mapping[str, str]) -> str | None:
    for word in name.split("."):
        if DECODER.match(word):
            return "decoder"
        if OTHER.match(word):
            return "other"
        if word.lower() in letters:
            return letters[word.lower()]
    return None


def _tokens(name: str) -> list[tuple[str, str]]:
    """Texts, each with the number that follows it: "net.10" -> ("net.", "10")."""
    parts = re.split(r"_?(\d{1,9})", name)
    return [(text, number) for text, number in zip_longest(parts[::2], parts[1::2], fillvalue="")]


def _precedes(name: str, other: str) -> bool:
    for (text, number), (text_2, number_2) in zip_longest(
        _tokens(name), _tokens(other), fillvalue=("", "")
    ):
        if text != text_2:
            return False
        if number != number_2:
            return int(number or -1) < int(number_2 or -1)
    return False


def _own_parts(names: Sequence[str]) -> list[list[str]]:
    """The parts of each name, without those that all begin with."""
    parts = [name.split(".") for name in names]
    while all(len(each) > 1 for each in parts) and len({each[0] for each in parts}) == 1:
        parts = [each[1:] for each in parts]
    return parts
