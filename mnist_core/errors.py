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
    """MNIST could not be fetched from the internet.

    ``str(error)`` gives the reason, for the command line and for a server's log. Visitors of
    a page can do nothing about it and are shown ``for_visitors``.
    """

    NO_INTERNET = "No internet connection"
    FAILED = "The whole of MNIST could not be downloaded"

    def __init__(self, sentence: str, *, offline: bool = False) -> None:
        """offline: nothing answered, as opposed to a refusal, a wrong checksum or a full disk."""
        super().__init__(sentence)
        self.for_visitors = self.NO_INTERNET if offline else self.FAILED


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


class Diverged(UserError, ArithmeticError):
    """The loss is no longer a number; the message says what to try."""
