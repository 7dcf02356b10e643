"""What can go wrong, as few kinds as callers can tell apart.

Every message is one sentence or two that name the argument, its value, the rule and the
way out, so that the terminal and the dashboard can show it unchanged.
"""


class InpaintError(Exception):
    """Any error that this package raises on purpose."""


class ArgumentError(InpaintError, ValueError):
    """An argument has a value that its rule does not allow."""


class ShapeError(ArgumentError):
    """Two things that must fit together do not."""


class FileError(InpaintError):
    """A file cannot be read or written, or does not hold what it should."""


class BackendError(InpaintError):
    """The requested backend cannot run here or cannot serve this problem."""
