"""The posterior of a restoration: not one image, but all that fit, with their probabilities."""
