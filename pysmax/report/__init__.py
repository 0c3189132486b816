"""`pysmax report`: the files of a run -> figures, summary.json, one self-contained page."""
