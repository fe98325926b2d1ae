"""Numbers and times in words that are easy to read."""


def say_ms(value: float | None) -> str:
    """Format milliseconds with the unit that suits their size."""
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
    """Format seconds, from two minutes on as minutes and seconds."""
    if value is None:
        return "–"
    if value < 120:
        return f"{value:.1f} s"
    minutes, seconds = divmod(round(value), 60)
    return f"{minutes} min {seconds:02d} s"


def say_clock(value: float) -> str:
    """Format a moment of the run for an axis."""
    minutes, seconds = divmod(value, 60)
    if minutes:
        return f"{int(minutes)}:{int(seconds):02d}"
    return f"{value:g} s"


def say_count(value: int) -> str:
    """Format a count with a comma between thousands."""
    return f"{value:,}"


def say_power_ms(value: float) -> str:
    """Format a power of ten on a time axis."""
    if value >= 1000:
        return f"{value / 1000:g} s"
    return f"{value:g} ms"
