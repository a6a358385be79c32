"""The row of a source in a warehouse: reading a PostgreSQL table beside its bare ADBC driver."""

from __future__ import annotations

from dataclasses import asdict, replace

from joins import FEW
from outcome import Outcome, Ratio, Settings
from postgresql_server import postgresql_server
from processes import Contestant, ContestantError, prepare, run_contestant
from tables import run_one

FILL = Contestant("fill", "postgresql_fill.py", ours=True)
BARE = Contestant("adbc-driver", "postgresql_read.py", ours=True)
TIDEMARK = Contestant("tidemark", "tidemark_postgresql.py", ours=True)
AIM = 0.8

# One history of 10M rows, all of which any training set needs.
SIZES = replace(FEW, entity_rows=10_000, views=1, ttl=False)


def run_postgresql(settings: Settings) -> Outcome:
    """A training set of 10k entity rows against fetching the same columns as an Arrow table."""
    sizes = SIZES.scaled(settings.scale)
    title = "training set from a PostgreSQL table of 10M rows x 11 columns, against its ADBC driver"
    outcome = Outcome("postgresql", title, asdict(sizes))
    prepare(settings.python, [sizes], settings.work)
    with postgresql_server() as uri:
        job = sizes.job() | {"uri": uri}
        try:
            run_contestant(FILL, job, settings.our_python, settings.work / "postgresql-fill")
        except ContestantError as failure:
            outcome.failures.append(f"fill: {failure}")
            return outcome
        for repeat in range(settings.repeats):
            print(f"row postgresql, repeat {repeat + 1} of {settings.repeats}", flush=True)
            for contestant in (BARE, TIDEMARK):
                if not settings.wants(contestant.name):
                    continue
                folder = settings.work / f"postgresql-{contestant.name}-{repeat}"
                run_one(settings, contestant, job | {"store_path": str(folder)}, outcome, folder)
    bare, ours = outcome.figures.get(BARE.name), outcome.figures.get(TIDEMARK.name)
    if bare is not None and ours is not None:
        outcome.ratios.append(Ratio("speed / driver", bare.median() / ours.median(), AIM, True))
        for figures in (bare, ours):
            if figures.reports[-1]["rows"] != bare.reports[-1]["rows"]:
                outcome.failures.append("the two did not read the same number of rows")
        outcome.numbers["rows per second"] = round(ours.reports[-1]["rows"] / ours.median())
    return outcome
