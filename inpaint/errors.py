"""The errors of this package: one class for each kind that callers handle differently.

Every message names the argument, its value, the rule and what to do in one or two sentences,
so that the terminal and the dashboard can show it unchanged.
"""


class InpaintError(Exception):
    """Any error that this package raises on purpose."""


class InpaintWarning(UserWarning):
    """Something was assumed, or left out, that may be wrong; the message says what decides it."""


class ArgumentError(InpaintError, ValueError):
    """An argument has a value that its rule does not allow."""


class ShapeError(ArgumentError):
    """The shapes of two arguments do not fit together."""


class FileError(InpaintError):
    """A file cannot be read or written, or does not hold what it should."""


class BackendError(InpaintError):
    """The requested backend cannot run on this machine, or not for this problem."""
