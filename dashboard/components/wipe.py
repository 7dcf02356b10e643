"""Two pictures on top of each other, and a slider that wipes from one to the other."""

from __future__ import annotations

from components import data_url, register
from inpaint.plots.sheet import Pixels

_render = register("wipe")


def show(left: Pixels, right: Pixels, *, labels: tuple[str, str], key: str) -> None:
    """Show two pictures of one size; the slider works without the server.

    Args:
        left: Seen to the left of the slider. [H, W, 3]
        right: Seen to the right of it. [H, W, 3]
        labels: What the two are.
        key: Key of the component.
    """
    _render(
        key=key, data={"left": data_url(left), "right": data_url(right), "labels": list(labels)}
    )
