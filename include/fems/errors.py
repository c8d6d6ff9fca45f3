"""Errors whose type says what happened, so that a caller can tell bad data from a lost connection.

`FemsError` is the family. Everything under `DataError` fails at once and is never retried: the same bytes give the
same answer. `ServiceUnavailable` is worth another try.
"""


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
