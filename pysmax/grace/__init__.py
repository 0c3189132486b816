"""GRACE potentials: trained, evaluated and run by programs in an environment of their own."""
