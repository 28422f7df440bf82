"""From computed to measured: descriptors, models, transfer from simulation to experiment, and the law of scaling."""
