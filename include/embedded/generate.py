"""Makes every kind of secret there is. Needs nothing but Python."""

import base64
import secrets


def user() -> str:
    """Return the name of an account."""
    return "fems-" + secrets.token_hex(6)


def password() -> str:
    """Return a password that programs use."""
    return secrets.token_urlsafe(24)


def typed_password() -> str:
    """Return a password that a person types: shorter, 96 bits."""
    return secrets.token_urlsafe(12)


def address_password() -> str:
    """Return a password that stands in an address: letters and digits alone."""
    return secrets.token_hex(24)


def signing_key() -> str:
    """Return a key that signs tokens and sessions."""
    return secrets.token_urlsafe(48)


def fernet_key() -> str:
    """Return a key with which Airflow encrypts what it stores."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
