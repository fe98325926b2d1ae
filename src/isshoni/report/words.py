"""Numbers as people read them."""


def say_ms(value: float | None) -> str:
    """Say a time with the unit that suits its size."""
    if value is None:
        return "–"
    if value == 0:
        return "0 ms"
    if value < 10:
        return f"{value:.1f} ms"
    if value < 1000:
        return f"{value:.0f} ms"
    return f"{value / 1000:.2f} s"


def say_seconds(value: float | None) -> str:
    """Say a longer time."""
    if value is None:
        return "–"
    if value < 120:
        return f"{value:.1f} s"
    minutes, seconds = divmod(round(value), 60)
    return f"{minutes} min {seconds:02d} s"


def say_clock(value: float) -> str:
    """Say a moment of the run, for an axis."""
    minutes, seconds = divmod(value, 60)
    if minutes:
        return f"{int(minutes)}:{int(seconds):02d}"
    return f"{value:g} s"


def say_count(value: int) -> str:
    """Say a count with its thousands apart."""
    return f"{value:,}"


def say_power_ms(value: float) -> str:
    """Say a power of ten on a time axis."""
    if value >= 1000:
        return f"{value / 1000:g} s"
    return f"{value:g} ms"
