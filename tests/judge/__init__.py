"""Judges detection quality on labelled series and simulated fleets, by the product's own commands: `make judge`."""
