"""Training of generators: adversarial, variational or both, and made fit to be searched."""

from inpaint.training.config import TrainConfig
from inpaint.training.data import read_digits
from inpaint.training.loop import TrainProgress, TrainResult, train

__all__ = ["TrainConfig", "TrainProgress", "TrainResult", "read_digits", "train"]
