"""What is observed if not pixels: averages of blocks, blurred pixels, a matrix's values."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import streamlit as st

from forms import sources
from forms.sources import Source
from inpaint.errors import FileError
from inpaint.files.matrices import MATRIX_ENDINGS, read_operator
from inpaint.generators import Generator
from inpaint.operators import named_operator
from inpaint.operators.named import BLOCK_SIDE
from inpaint.types import ImageShape, Operator

KINDS = {
    "pixels": "Pixels",
    "block-average": "Averages of blocks",
    "blur": "Blurred pixels",
    "matrix": "Values of a matrix",
}
USUAL_BLUR = 1.0
"""Standard deviation of the blur at first, in pixels."""


def ask_operator(generator: Generator | None) -> tuple[Source[Operator] | None, bool]:
    """What is observed.

    Args:
        generator: The generator whose images are observed, if one was chosen already.

    Returns:
        The operator, None for pixels; and whether its file is still awaited.

    Raises:
        InpaintError: If there is no such operator for these images.
    """
    kind = st.selectbox(
        "What is observed",
        list(KINDS),
        format_func=KINDS.__getitem__,
        key="observed",
        bind="query-params",
        help="The pixels themselves, or values that follow from them linearly. The damage then "
        "says which of these values are lost.",
    )
    match kind:
        case "block-average":
            side = st.number_input(
                "Side of a block", 1, value=BLOCK_SIDE, step=1, key="block", bind="query-params"
            )
            return _named(f"{kind}:{side}", generator)
        case "blur":
            width = st.number_input(
                "Blur, in pixels",
                0.0,
                value=USUAL_BLUR,
                step=0.1,
                format="%g",
                key="blur",
                bind="query-params",
                help="Standard deviation of the Gaussian.",
            )
            return _named(f"{kind}:{plain(width)}", generator)
        case "matrix":
            return _upload(generator)
    return None, False


def adopt_operator(text: str | None) -> None:
    """Set the widgets to a recorded operator; call this before they are drawn."""
    name, _, number = (text or "pixels").partition(":")
    st.session_state["observed"] = name if name in KINDS else "matrix"
    if name == "block-average":
        st.session_state["block"] = int(number or BLOCK_SIDE)
    if name == "blur":
        st.session_state["blur"] = float(number)


def plain(number: float) -> str:
    """A number as short as it can be written without changing it."""
    short = f"{number:g}"
    return short if float(short) == number else repr(number)


def _named(text: str, generator: Generator | None) -> tuple[Source[Operator] | None, bool]:
    if generator is None:
        return None, True
    operator = named_operator(text, generator.image_shape)
    return Source(text, f"{text} {generator.image_shape}", operator), False


def _upload(generator: Generator | None) -> tuple[Source[Operator] | None, bool]:
    """The matrix of a file; it is read for the generator's images."""
    shape = (1, 28, 28) if generator is None else generator.image_shape
    found = sources.upload(
        "Matrix file", "operator", MATRIX_ENDINGS, partial(_matrix_at, shape), about=shape
    )
    return found, found is None


def _matrix_at(shape: ImageShape, path: Path) -> Operator:
    if not path.name.lower().endswith(MATRIX_ENDINGS):
        raise FileError(
            f"{path.name} has no ending that names a matrix's format; give a file that ends in "
            f"{', '.join(MATRIX_ENDINGS)}."
        )
    return read_operator(str(path), shape)
