"""The doctor: imports an app, finds the middleware in it, and says what is wrong with how it is set up.

Nothing is started and nothing is written: the app's lifespan does not run, and stores are only read.
"""

from .circumstances import Circumstances
from .examination import CHECKS, Report, examine
from .findings import Check, Finding
from .loading import CannotExamine, NotUnderstood
from .reports import as_json, as_lines

__all__ = [
    "CHECKS",
    "CannotExamine",
    "Check",
    "Circumstances",
    "Finding",
    "NotUnderstood",
    "Report",
    "as_json",
    "as_lines",
    "examine",
]
