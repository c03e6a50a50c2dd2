"""The exceptions a visitor may see.

Each has one sentence that says what happened and what to do next, which pages and the command line
show. Any other exception is a bug.
"""


class UserError(Exception):
    """A problem a person can act on. ``str(error)`` is the sentence to show."""


class InvalidConfig(UserError, ValueError):
    """A training setting is out of range or of the wrong type."""


class BrokenDataFile(UserError):
    """A data file exists but is not MNIST."""


class DownloadFailed(UserError):
    """MNIST could not be downloaded.

    ``str(error)`` gives the reason, for the command line and the server's log; ``for_visitors``
    is shown to visitors, who can do nothing about it.
    """

    NO_INTERNET = "No internet connection"
    FAILED = "The whole of MNIST could not be downloaded"

    def __init__(self, sentence: str, *, offline: bool = False) -> None:
        """offline: there was no connection; not a refusal, a wrong checksum or a full disk."""
        super().__init__(sentence)
        self.for_visitors = self.NO_INTERNET if offline else self.FAILED


class EmptyDrawing(UserError):
    """A picture has no ink, so there is no digit to read."""


class UnreadablePicture(UserError):
    """A file is not a picture, or not of a supported kind."""


class StoreUnavailable(UserError):
    """The database of runs cannot be used: locked, read-only, broken or too new."""


class RunNotFound(UserError):
    """There is no run with this id."""


class CannotResume(UserError):
    """A run cannot continue: its state or its images are gone."""


class NotAllowed(UserError):
    """A visitor asked for something that only another visitor may do."""


class Diverged(UserError, ArithmeticError):
    """The loss is no longer a number; the message says what to try."""
