"""The oracle: a slow, plain evaluator over the model that every engine must equal. It imports no planning."""

from trustquery.reference.evaluate import evaluate
from trustquery.reference.rank import ranked_rows

__all__ = ["evaluate", "ranked_rows"]
