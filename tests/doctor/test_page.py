"""docs/doctor.md lists the checks that there are."""

from jwt_refresh_middleware.doctor.page import text

from .patients import ROOT

PAGE = ROOT / "docs" / "doctor.md"


def test_the_page_lists_what_is_looked_for() -> None:
    """``python -m jwt_refresh_middleware.doctor.page`` prints what belongs below the heading."""
    before, heading, after = PAGE.read_text().partition("\n## The checks\n")
    assert heading
    assert after.strip() == text().strip()
    assert "exit" in before.lower()
