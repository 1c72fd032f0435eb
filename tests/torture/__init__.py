"""Torture of the budget ledger: power cuts, failing disks and kills, under the code that ships."""
