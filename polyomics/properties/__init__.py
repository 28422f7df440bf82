"""Estimators: records and snapshots of simulations in, properties with error bars or reasons out."""
