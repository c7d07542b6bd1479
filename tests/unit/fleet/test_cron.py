"""Cron expressions: what is read, what every scheduler reads alike, and what is refused."""

from __future__ import annotations

import pytest

from compliance.fleet.cron import parse_cron


@pytest.mark.parametrize(
    ("text", "written", "calendar"),
    [
        ("30 2 * * *", "30 2 * * *", "*-*-* 2:30:00 UTC"),
        ("*/15 * * * *", "0,15,30,45 * * * *", "*-*-* *:0,15,30,45:00 UTC"),
        ("0 3 * * 0", "0 3 * * sun", "Sun *-*-* 3:0:00 UTC"),
        ("0 3 * * 7", "0 3 * * sun", "Sun *-*-* 3:0:00 UTC"),
        ("0 3 * * 1-5", "0 3 * * mon,tue,wed,thu,fri", "Mon,Tue,Wed,Thu,Fri *-*-* 3:0:00 UTC"),
        ("0 3 * * fri-sun", "0 3 * * fri,sat,sun", "Fri,Sat,Sun *-*-* 3:0:00 UTC"),
        ("0 3 * * SUN", "0 3 * * sun", "Sun *-*-* 3:0:00 UTC"),
        ("0 0 1 jan,JUL *", "0 0 1 1,7 *", "*-1,7-1 0:0:00 UTC"),
        ("0 9-17/4 * * *", "0 9,13,17 * * *", "*-*-* 9,13,17:0:00 UTC"),
        ("0 0 29 2 *", "0 0 29 2 *", "*-2-29 0:0:00 UTC"),
        ("@daily", "0 0 * * *", "*-*-* 0:0:00 UTC"),
        ("@weekly", "0 0 * * sun", "Sun *-*-* 0:0:00 UTC"),
        ("0 0 */1 * 1-7", "0 0 * * *", "*-*-* 0:0:00 UTC"),
    ],
)
def test_the_same_for_every_scheduler(text: str, written: str, calendar: str) -> None:
    cron = parse_cron(text)
    assert (str(cron), cron.on_calendar("UTC")) == (written, calendar)
    assert parse_cron(written) == cron


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("* * * * * *", "five fields"),
        ("@reboot", "five fields"),
        ("60 * * * *", "no minute"),
        ("* 24 * * *", "no hour"),
        ("* * 0 * *", "no day of the month"),
        ("* * * 13 *", "no month"),
        ("* * * * 8", "no weekday"),
        ("* * * * L", "no weekday"),
        ("5/15 * * * *", "a step needs"),
        ("30-10 * * * *", "holds no minute"),
        ("*/0 * * * *", "holds no minute"),
        ("1,,2 * * * *", "no minute"),
        ("0 0 13 * 5", "either, others both"),
        ("0 0 31 2,4 *", "none of the months"),
        ("0 0 * * mon" + " " * 300, "characters"),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_cron(text)
