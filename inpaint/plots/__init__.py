"""Everything that draws: figures to keep, sheets of pixels, films."""
