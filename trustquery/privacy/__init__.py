"""Exact privacy budgets, and the one place that draws noise."""
