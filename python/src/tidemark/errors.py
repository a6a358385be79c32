"""Exceptions: one class for each of the engine's error codes.

A missing feature value is never an exception: it is None, with a status that says why.
"""

from __future__ import annotations


class TidemarkError(Exception):
    """A request that could not be answered.

    `code` is the engine's name for the kind of error, `message` says what was wrong and what to do,
    `context` says where: a view, file, row or column, outermost first.
    """

    code = "INTERNAL"

    def __init__(self, message: str, context: str = "") -> None:
        self.message = message
        self.context = context
        super().__init__(f"{context}: {message}" if context else message)

    def __reduce__(self) -> tuple[type[TidemarkError], tuple[str, str]]:
        return type(self), (self.message, self.context)


class InvalidArgumentError(TidemarkError, ValueError):
    """The request itself is wrong: a bad name, a range that ends before it starts."""

    code = "INVALID_ARGUMENT"


class NotFoundError(TidemarkError, LookupError):
    """A view, feature, service, column or file that is named does not exist."""

    code = "NOT_FOUND"


class AlreadyExistsError(TidemarkError, ValueError):
    """A name or an output column is taken."""

    code = "ALREADY_EXISTS"


class TypeMismatchError(TidemarkError, TypeError):
    """A value or a column does not fit its declared type without loss."""

    code = "TYPE_MISMATCH"


class InvalidDataError(TidemarkError, ValueError):
    """Data cannot be read as what it should be: a timestamp, a null key, ragged rows."""

    code = "INVALID_DATA"


class CorruptionError(TidemarkError):
    """A checksum or an invariant of a file does not hold."""

    code = "CORRUPTION"


class BusyError(TidemarkError):
    """Another process holds what is needed; trying again may work."""

    code = "BUSY"


class OutOfSpaceError(TidemarkError):
    """A disk, a map or a memory limit is full."""

    code = "OUT_OF_SPACE"


class IoError(TidemarkError, OSError):
    """The operating system refused a read or a write."""

    code = "IO"


class UnsupportedError(TidemarkError, NotImplementedError):
    """A format or a feature that this version does not know."""

    code = "UNSUPPORTED"


class CancelledError(TidemarkError):
    """The work was interrupted by its caller."""

    code = "CANCELLED"


class UnknownFateError(TidemarkError):
    """A commit may or may not have happened: look before trying again."""

    code = "UNKNOWN_FATE"


class PermissionDeniedError(TidemarkError, PermissionError):
    """What was asked for is not open to the caller: a file not catalogued, a wrong password."""

    code = "PERMISSION_DENIED"


class UnavailableError(TidemarkError, ConnectionError):
    """Another system that is needed cannot be reached, or does not answer in time."""

    code = "UNAVAILABLE"


class InternalError(TidemarkError, RuntimeError):
    """A defect of Tidemark."""

    code = "INTERNAL"


ERRORS: dict[str, type[TidemarkError]] = {
    error.code: error
    for error in (
        InvalidArgumentError,
        NotFoundError,
        AlreadyExistsError,
        TypeMismatchError,
        InvalidDataError,
        CorruptionError,
        BusyError,
        OutOfSpaceError,
        IoError,
        UnsupportedError,
        CancelledError,
        UnknownFateError,
        PermissionDeniedError,
        UnavailableError,
        InternalError,
    )
}


def make_error(code: str, message: str, context: str = "") -> TidemarkError:
    """The exception for an error of the engine; called by the native module."""
    return ERRORS.get(code, InternalError)(message, context)
