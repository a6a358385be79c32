"""What the server of processes loads before it forks; no store is opened by it.

Each process loads the main module of its parent again, which is pytest's.
"""

import pyarrow as pa
import pyarrow.compute
import pyiceberg.catalog.sql
import pytest

import tidemark
from tidemark import _native
from torture import oracle, reading, workload

LOADED = (
    pa,
    pyarrow.compute,
    pyiceberg.catalog.sql,
    pytest,
    tidemark,
    _native,
    oracle,
    reading,
    workload,
)
