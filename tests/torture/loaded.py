"""What the server of processes loads before it forks; no store is opened by it."""

import pyarrow as pa
import pyarrow.compute
import pyiceberg.catalog.sql

import tidemark
from tidemark import _native
from torture import oracle, reading, workload

LOADED = (pa, pyarrow.compute, pyiceberg.catalog.sql, tidemark, _native, oracle, reading, workload)
