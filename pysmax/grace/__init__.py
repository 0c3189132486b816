"""GRACE models: what is run in the environment that has tensorpotential."""
