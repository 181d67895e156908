"""Days and years of the proleptic Gregorian calendar, beyond the years 1 to 9999 too."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

_ORDINAL_OF_1970 = 719_163
_LAST_ORDINAL = date.max.toordinal()
_DAYS_OF_ERA = 146_097  # 400 years


def civil_from_days(days: int) -> tuple[int, int, int]:
    """Return astronomical year (0 is 1 BC), month and day of days since 1970-01-01."""
    era, day_of_era = divmod(days + 719_468, _DAYS_OF_ERA)  # eras begin on March 1 of year 0
    year = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year + year // 4 - year // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    return year + era * 400 + (month <= 2), month, day_of_year - (153 * shifted_month + 2) // 5 + 1


def days_from_civil(year: int, month: int, day: int) -> int:
    """Return days since 1970-01-01 of an astronomical year, month and day."""
    era, year_of_era = divmod(year - (month <= 2), 400)
    day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * _DAYS_OF_ERA + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


@lru_cache(maxsize=16_384)
def postgres_date(days: int) -> tuple[str, str]:
    """Return the date as PostgreSQL reads and prints it, and the era that stands behind it (empty or ` BC`)."""
    if 0 < days + _ORDINAL_OF_1970 <= _LAST_ORDINAL:
        return date.fromordinal(days + _ORDINAL_OF_1970).isoformat(), ""
    year, month, day = civil_from_days(days)
    if year > 0:
        return f"{year:04d}-{month:02d}-{day:02d}", ""
    return f"{1 - year:04d}-{month:02d}-{day:02d}", " BC"


@lru_cache(maxsize=16_384)
def iso_date(days: int) -> str:
    """Return the date in ISO 8601 with an expanded year where needed, as Java's `LocalDate` prints it."""
    year, month, day = civil_from_days(days)
    if 0 <= year <= 9999:
        return f"{year:04d}-{month:02d}-{day:02d}"
    return f"{'+' if year > 0 else '-'}{abs(year):04d}-{month:02d}-{day:02d}"


def days_from_text(text: str) -> int:
    """Return the days of `[+-]Y-MM-DD[ BC]`. Raises ValueError."""
    text, before_christ, _ = text.partition(" BC")
    sign = -1 if text.startswith("-") else 1
    year, month, day = map(int, text.lstrip("+-").split("-"))
    return days_from_civil(1 - year if before_christ else sign * year, month, day)
