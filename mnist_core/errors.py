"""The exceptions a visitor may see.

Each carries one clear sentence that says what happened and what to do next. Pages
show that sentence; the command line prints it. Anything else that is raised is a bug.
"""


class UserError(Exception):
    """A problem a person can act on. ``str(error)`` is the sentence to show."""


class InvalidConfig(UserError, ValueError):
    """A training setting is out of its range or of the wrong kind."""


class BrokenDataFile(UserError):
    """A data file exists but does not hold MNIST."""


class DownloadFailed(UserError):
    """MNIST could not be fetched from the internet."""


class EmptyDrawing(UserError):
    """A picture holds no ink, so there is no digit to read."""


class UnreadablePicture(UserError):
    """A file is not a picture, or not one this project reads."""


class StoreUnavailable(UserError):
    """The database of runs cannot be used: locked, read-only, broken or too new."""


class RunNotFound(UserError):
    """No run has the identifier that was asked for."""


class CannotResume(UserError):
    """A run cannot go on from where it stood: its state or its images are gone."""


class NotAllowed(UserError):
    """A visitor asked for something only another visitor may do."""
