"""What is observed of an image: the operator T, as a linear map on images."""

from inpaint.operators.mask import Mask
from inpaint.operators.measuring import measure
from inpaint.operators.presets import MASK_PRESETS, MaskPreset, mask_preset, names_preset

__all__ = ["MASK_PRESETS", "Mask", "MaskPreset", "mask_preset", "measure", "names_preset"]
