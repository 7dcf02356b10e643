"""What is observed of an image: the operator T, as a linear map on images."""

from inpaint.operators.composition import Composition
from inpaint.operators.foreign import ForeignOperator, fit_operator, is_operator
from inpaint.operators.linear import LinearOperator, to_matrix
from inpaint.operators.mask import Mask, require_mask
from inpaint.operators.measuring import measure
from inpaint.operators.named import (
    MASK_PRESETS,
    OPERATOR_NAMES,
    MaskPreset,
    is_mask_name,
    is_operator_name,
    mask_preset,
    named_operator,
)
from inpaint.operators.resampling import BlockAverage, Blur
from inpaint.operators.unshaped import UnshapedOperator

__all__ = [
    "MASK_PRESETS",
    "OPERATOR_NAMES",
    "BlockAverage",
    "Blur",
    "Composition",
    "ForeignOperator",
    "LinearOperator",
    "Mask",
    "MaskPreset",
    "UnshapedOperator",
    "fit_operator",
    "is_mask_name",
    "is_operator",
    "is_operator_name",
    "mask_preset",
    "measure",
    "named_operator",
    "require_mask",
    "to_matrix",
]
