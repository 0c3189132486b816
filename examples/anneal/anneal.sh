#!/bin/sh
# Copper heated from 300 to 900 K and cooled again at no pressure, in half a minute:
#   sh anneal.sh [POTENTIAL]      potential.yaml, the folder of a GRACE model; default: potential.yaml here
set -e
potential=${1:-potential.yaml}
pysmax render anneal --potential "$potential" -o run --set structure=Cu --set repeat='[6,6,6]' \
    --set temperature='[300,900,300]' --set pressure='[0]' --set n_steps=6000 --set frames=20 --set thermo_lines=200
(cd run && mpirun -np 2 lmp -in in.anneal > out.txt)       # again: it goes on from its newest restart file
pysmax watch run --once
pysmax analyse anneal run
