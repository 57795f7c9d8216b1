"""Money in whole minor units (cents): int64 inside, decimal text outside.

A published sum is a sum of integers; floats are only used before rounding.
"""

from __future__ import annotations

import functools

import numpy as np

from planning.errors import DataError

LARGEST = 2**53


@functools.cache
def digits_of(currency: str) -> int:
    """Returns the decimals of a currency's minor unit: 2 for EUR, 0 for JPY.

    >>> digits_of("EUR"), digits_of("JPY")
    (2, 0)
    """
    from babel.numbers import get_currency_precision

    return int(get_currency_precision(currency))


def to_minor(amount: float, digits: int) -> int:
    """Returns an amount as whole minor units; DataError where it has more decimals than the currency.

    >>> to_minor(150_000.25, 2)
    15000025
    """
    scaled = amount * 10**digits
    if not np.isfinite(scaled) or abs(scaled) > LARGEST:
        raise DataError(f"{amount}: is too large to hold to the cent. Give amounts in whole currency units.")
    minor = round(scaled)
    if abs(scaled - minor) > 1e-6 * max(1.0, abs(scaled) * 1e-9):
        raise DataError(f"{amount}: has more than {digits} decimals. Round it to the currency's smallest unit.")
    return minor


def from_minor(minor: np.ndarray | int, digits: int) -> np.ndarray | float:
    """Returns minor units as an amount (exact to the last digit a float holds below 9e13)."""
    value = np.asarray(minor) / 10**digits
    return float(value) if value.ndim == 0 else value


def decimal_text(minor: np.ndarray, digits: int) -> list[str]:
    """Returns each integer as decimal text with exactly `digits` places.

    >>> decimal_text(np.array([12345, -5]), 2)
    ['123.45', '-0.05']
    """
    if digits == 0:
        return [str(int(m)) for m in minor]
    base = 10**digits
    return [f"{'-' if m < 0 else ''}{abs(m) // base}.{abs(m) % base:0{digits}d}" for m in map(int, minor)]
