"""Structures from elsewhere, unlabelled: relaxed, Materials Project, QM9, Transition1x."""
