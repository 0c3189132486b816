"""Structures from elsewhere, unlabelled, for one engine to label: relaxed, Materials Project, QM9, Transition1x."""
