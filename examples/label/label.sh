#!/bin/sh
# From structures to labels in about half a minute:
#   sh label.sh
set -e
pysmax label structures.extxyz --engine xtb --to ds        # again: nothing is left to do
pysmax dataset info ds
pysmax dataset check ds
pysmax enrich relax structures.extxyz --engine lammps --config potential.yaml --cell fixed --steps 20 --to ds
pysmax label ds --engine xtb                               # what relaxation has added
pysmax dataset split ds train test --fraction 0.2
pysmax dataset convert train train.extxyz
pysmax dataset report train test -o comparison --no-features
