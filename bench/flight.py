"""The row of Arrow Flight: a training set over the wire beside the same one in process."""

from __future__ import annotations

import shutil
from dataclasses import asdict

from joins import LARGE
from outcome import Outcome, Ratio, Settings
from processes import Contestant, ContestantError, prepare, run_contestant, warm
from tables import record

IN_PROCESS = Contestant("in-process", "tidemark_flight.py", {"wire": False}, ours=True)
FLIGHT = Contestant("flight", "tidemark_flight.py", {"wire": True}, ours=True)
AIM = 1.2


def run_flight(settings: Settings) -> Outcome:
    """Takes turns: in process, over Flight; Arrow table in, Arrow table out."""
    sizes = LARGE.scaled(settings.scale)
    title = "training set over Flight, 1M entity rows x 3 views x 10M rows x 8 features"
    outcome = Outcome("flight", title, asdict(sizes))
    prepare(settings.python, [sizes], settings.work)
    warm(sizes.paths())
    for repeat in range(settings.repeats):
        print(f"row flight, repeat {repeat + 1} of {settings.repeats}", flush=True)
        for contestant in (IN_PROCESS, FLIGHT):
            if not settings.wants(contestant.name):
                continue
            folder = settings.work / f"flight-{contestant.name}"
            job = sizes.job() | {"store_path": str(folder / "store")}
            try:
                ran = run_contestant(contestant, job, settings.our_python, folder)
                record(outcome, contestant, ran)
            except ContestantError as failure:
                outcome.failures.append(f"{contestant.name}: {failure}")
            shutil.rmtree(folder, ignore_errors=True)
    figures = outcome.figures
    if IN_PROCESS.name in figures and FLIGHT.name in figures:
        ratio = figures[FLIGHT.name].median() / figures[IN_PROCESS.name].median()
        outcome.ratios.append(Ratio("Flight / in process", ratio, AIM, False))
        found = {r["digest"] for name in figures for r in figures[name].reports}
        if len(found) != 1:
            outcome.failures.append(f"the training sets differ: {found}")
    return outcome
