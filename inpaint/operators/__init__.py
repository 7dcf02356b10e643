"""What is observed of an image: the operator T, as a linear map on images."""

from inpaint.operators.linear import Composition, LinearOperator, to_matrix
from inpaint.operators.mask import Mask
from inpaint.operators.measuring import measure
from inpaint.operators.named import OPERATOR_NAMES, named_operator, names_operator
from inpaint.operators.presets import MASK_PRESETS, MaskPreset, mask_preset, names_preset
from inpaint.operators.resampling import BlockAverage, Blur

__all__ = [
    "MASK_PRESETS",
    "OPERATOR_NAMES",
    "BlockAverage",
    "Blur",
    "Composition",
    "LinearOperator",
    "Mask",
    "MaskPreset",
    "mask_preset",
    "measure",
    "named_operator",
    "names_operator",
    "names_preset",
    "to_matrix",
]
