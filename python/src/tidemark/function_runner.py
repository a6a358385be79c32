"""Python functions of on-demand feature views, made of their source text and run over columns.

The SDK runs them in its own process, servers in processes of their own (`_worker.py`).
"""

from __future__ import annotations
import __future__

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tidemark import frames, types
from tidemark.errors import InvalidDataError, TidemarkError
from tidemark.on_demand_feature_view import GIVEN_NAMES, OnDemandFeatureView

if TYPE_CHECKING:
    import pyarrow as pa

Columns = Mapping[str, "pa.Array"]


class FunctionRunner:
    """Runs the function of one on-demand view over columns."""

    def __init__(self, view: OnDemandFeatureView) -> None:
        self.view = view
        self.place = f"on-demand feature view {view.name}"
        names: dict[str, Any] = {}
        for name, module in GIVEN_NAMES.items():
            if name in view.source_code:
                names[name] = __import__(module)
        # Annotations stay text: what they name need not be there.
        try:
            code = compile(
                view.source_code,
                f"<{self.place}>",
                "exec",
                flags=__future__.annotations.compiler_flag,
                dont_inherit=True,
            )
            exec(code, names)
            self.function: Callable[[Any], Any] = names[view.function_name]
        except (Exception, SystemExit) as error:
            raise InvalidDataError(
                f"the function cannot be read: {type(error).__name__}: {error}", self.place
            ) from error

    def run(self, inputs: Columns, rows: int) -> dict[str, pa.Array]:
        """The fields of the view, each an array of its type with as many values as rows."""
        if rows == 0:  # which no function needs to expect
            return {each.name: no_values(each.dtype.to_pyarrow()) for each in self.view.schema}
        try:
            made = self._call(inputs, rows)
        except TidemarkError:
            raise
        except (Exception, SystemExit) as error:
            raise InvalidDataError(
                f"the function raised {type(error).__name__}: {error}", self.place
            ) from error
        return {
            each.name: self._typed(each.name, each.dtype, made, rows) for each in self.view.schema
        }

    def _call(self, inputs: Columns, rows: int) -> Mapping[str, Any]:
        import pyarrow as pa

        if self.view.mode == "pandas":
            frame = frames.to_pandas(pa.table(dict(inputs)))
            made = self.function(frame)
            if not hasattr(made, "columns"):
                raise InvalidDataError(
                    f"the function returned {type(made).__name__}, not a frame", self.place
                )
            return {str(name): made[name] for name in made.columns}
        lists = {name: values.to_pylist() for name, values in inputs.items()}
        if not self.view.singleton:
            return self._mapping(self.function(lists))
        answers = [
            self._mapping(self.function({name: values[row] for name, values in lists.items()}))
            for row in range(rows)
        ]
        return {
            each.name: [self._value(answer, each.name) for answer in answers]
            for each in self.view.schema
        }

    def _mapping(self, made: Any) -> Mapping[str, Any]:
        if isinstance(made, Mapping):
            return made
        raise InvalidDataError(
            f"the function returned {type(made).__name__}, not a dict", self.place
        )

    def _value(self, made: Mapping[str, Any], name: str) -> Any:
        if name in made:
            return made[name]
        raise InvalidDataError(f"the function returned no field {name!r}", self.place)

    def _typed(
        self, name: str, dtype: types.DataType, made: Mapping[str, Any], rows: int
    ) -> pa.Array:
        import pyarrow as pa

        values = self._value(made, name)
        wanted = dtype.to_pyarrow()
        try:
            array = pa.array(values, from_pandas=True)
            if isinstance(array, pa.ChunkedArray):
                array = array.combine_chunks()
            if array.type != wanted:
                array = self._cast(values, array, wanted)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise InvalidDataError(f"field {name} is {dtype}: {error}", self.place) from None
        if len(array) != rows:
            raise InvalidDataError(
                f"field {name} has {len(array)} values for {rows} rows", self.place
            )
        return array

    def _cast(self, values: Any, array: pa.Array, wanted: pa.DataType) -> pa.Array:
        """Without loss; a text is no number and a number no text."""
        import pyarrow as pa

        if pa.types.is_nested(wanted) or pa.types.is_null(array.type):
            return pa.array(values, wanted, from_pandas=True)
        is_text = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
        if is_text != pa.types.is_string(wanted):
            raise TypeError(f"the function returned {array.type}")
        return array.cast(wanted)


def no_values(arrow_type: pa.DataType) -> pa.Array:
    import pyarrow as pa

    return pa.array([], arrow_type)
