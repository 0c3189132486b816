"""The one exception of this package."""


class SmaxError(Exception):
    """A mistake of the user or in a file: one sentence, shown without a traceback."""
