"""What both contestants of the on-demand row compute: five features of one view and the request."""

from __future__ import annotations

# Inputs f0 to f4 are float64 features of the view, km comes with the request.
FIELDS = ["price", "is_far", "level", "share", "score"]
EXPRESSIONS = {
    "price": "f0 * 2 + km / 3",
    "is_far": "km > 500 AND f1 > 0",
    "level": "CASE WHEN f2 > 0 THEN ln(f2 + 1) ELSE 0 END",
    "share": "coalesce(f3, 0) / (abs(f3) + 1)",
    "score": "round(greatest(f4, f0) * 100, 2)",
}
INPUTS = ["f0", "f1", "f2", "f3", "f4"]
