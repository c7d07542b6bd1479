"""docs/notebooks.md: its frames and questions are what the code has."""

from tests.architecture import frame_tables


def test_the_page_is_what_the_generator_writes() -> None:
    """Written anew by ``python -m tests.architecture.frame_tables``."""
    text = frame_tables.PAGE.read_text()
    assert text == frame_tables.page(text)
