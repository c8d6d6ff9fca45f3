"""Errors whose type says what happened, so that a caller can tell bad data from a lost connection.

`FemsError` is the family. Everything under `DataError` fails at once and is never retried: the same bytes give the
same answer. `ServiceUnavailable` is worth another try.
"""

from collections.abc import Mapping


def is_missing_library(error: BaseException) -> bool:
    """Tell whether a package or a library of the system is not there: the next try would not find it either.

    An error that another was raised from, or in whose handling it was raised, counts as well.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, ImportError) or "cannot open shared object file" in str(cause):
            return True
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return False


class FemsError(Exception):
    """Any failure that this package explains in one line."""


class ConfigError(FemsError):
    """factories.yaml, a definition book or a setting is wrong. Names the file and, where there is one, the line."""


class DataError(FemsError):
    """The data cannot be used as it is. Retrying does not help."""


class UnknownFormat(DataError):
    """A stored record is of a format that this version does not read. Says what makes it anew."""


class UndecodableObject(DataError):
    """A raw object that no reader understands; it goes to quarantine whole."""


class QualityFailed(DataError):
    """A critical expectation failed; the partition was not published."""


class NeedsAcceptance(QualityFailed):
    """A month has less than the published one, or another level. It is published only on a person's word."""


class TooLittleHistory(DataError):
    """Not enough published data to train on or to forecast from."""


class NoModel(DataError):
    """No registered model for a factory."""


class LostRows(DataError):
    """Rows read do not equal rows published, quarantined and dropped. A bug: nothing is published."""


class ServiceUnavailable(FemsError):
    """A service did not answer. Worth a retry."""


class AccessDenied(FemsError):
    """A service answered that the key is wrong. Not worth a retry."""


class SomeFailed(FemsError):
    """Some of the factories of a group failed; the others are done. Worth a retry, which takes up those alone.

    Args:
        errors: factory -> what it failed with.
        of: how many factories the group has.
    """

    def __init__(self, errors: Mapping[str, BaseException], of: int) -> None:
        self.errors = dict(errors)
        lines = "; ".join(f"{factory}: {type(error).__name__}: {error}" for factory, error in errors.items())
        super().__init__(f"{len(errors)} of {of} factories failed, the others are done. {lines}")


class SomeRefused(SomeFailed, DataError):
    """The same, where none of what they failed with is worth a retry."""
