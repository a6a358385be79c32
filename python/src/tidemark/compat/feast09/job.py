"""Jobs: work that Feast 0.9 gave to Spark, and that is done here when its result is asked for."""

from __future__ import annotations

import enum
import os
import tempfile
import uuid
from typing import TYPE_CHECKING, Any

import tidemark
from tidemark.compat.store_address import local_path
from tidemark.errors import UnsupportedError

if TYPE_CHECKING:
    import pandas as pd


class SparkJobStatus(enum.Enum):
    """How far a job is. One that fails raises its error where its result is asked for."""

    STARTING = 0
    IN_PROGRESS = 1
    FAILED = 2
    COMPLETED = 3


class SparkJob:
    """A job that is done."""

    def __init__(self) -> None:
        self._id = str(uuid.uuid4())

    def get_id(self) -> str:
        return self._id

    def get_status(self) -> SparkJobStatus:
        return SparkJobStatus.COMPLETED


class RetrievalJob(SparkJob):
    """A training set: feature columns are named `table__feature`."""

    def __init__(self, job: tidemark.RetrievalJob, output_location: str | None) -> None:
        super().__init__()
        self._job = job
        self._location = output_location
        self._uri: str | None = None

    def get_status(self) -> SparkJobStatus:
        self.get_output_file_uri()
        return super().get_status()

    def get_output_file_uri(self, timeout_sec: float | None = None, block: bool = True) -> str:
        """Writes the training set, once, and gives the `file://` URI of the folder it is in.

        Without an output location that is a new folder for temporary files.
        """
        del timeout_sec, block  # it is there when this returns
        if self._uri is None:
            folder = self._folder()
            os.makedirs(folder, exist_ok=True)
            self._job.to_parquet(os.path.join(folder, f"{self._id}.parquet"))
            self._uri = f"file://{folder}"
        return self._uri

    def _folder(self) -> str:
        if self._location is None:
            return tempfile.mkdtemp(prefix="tidemark-historical-")
        path = local_path(self._location)
        if "://" in path:
            raise UnsupportedError(
                f"output_location {self._location!r} is no folder of this machine; this version "
                "writes local files"
            )
        return os.path.abspath(path)

    def to_df(self) -> pd.DataFrame:
        """The training set as a frame, without a file."""
        return self._job.to_df()

    def to_arrow(self) -> Any:
        """The training set as an Arrow table, without a file."""
        return self._job.to_arrow()
