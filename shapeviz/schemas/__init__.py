"""JSON Schemas of what `-f json` writes: `report.json` (shapeviz/1) and `list.json` (shapeviz-list/1)."""
