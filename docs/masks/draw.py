"""Draw every mask preset over the bundled eights: python docs/masks/draw.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from inpaint import read_images
from inpaint.operators import MASK_PRESETS, mask_preset
from inpaint.plots.sheet import strip

LOST = (194, 65, 12)
SCALE, GAP = 4, 4


def main() -> None:
    """Write a picture of each preset next to this file."""
    images = read_images("eights").ideal
    assert images is not None
    for preset in MASK_PRESETS.values():
        mask = mask_preset(preset.example, (1, 28, 28))
        pixels = strip(images, scale=SCALE, gap=GAP)
        lost = strip((~mask.observed).float().expand(images.shape), scale=SCALE, gap=GAP)
        # The lines between the pictures are neither black nor white.
        pixels = np.where(lost == 255, np.array(LOST, dtype=np.uint8), pixels)
        Image.fromarray(pixels).save(Path(__file__).with_name(f"{preset.name}.png"), optimize=True)


if __name__ == "__main__":
    main()
