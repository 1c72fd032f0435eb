"""The oracle: a slow, plain evaluator over the model that every engine must equal. It imports no planning."""

from trustquery.reference.evaluate import evaluate
from trustquery.reference.rank import ranked_rows
from trustquery.reference.unknown import evaluate_keys

__all__ = ["evaluate", "evaluate_keys", "ranked_rows"]
