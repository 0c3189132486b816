#!/bin/sh
# Copper pulled and sheared at 10 K, stress against strain, in half a minute:
#   sh strain.sh [POTENTIAL]      potential.yaml, the folder of a GRACE model; default: potential.yaml here
set -e
potential=${1:-potential.yaml}
for system in uniaxial shear; do
    pysmax render strain --system $system --potential "$potential" --scale smoke -o $system \
        --set temperature=[10] --set strain=0.05 --set barostat_ps=0.5 --set n_steps=1200
    (cd $system && mpirun -np 2 lmp -in in.strain > out.txt)      # again: it goes on from its newest restart file
    pysmax watch $system --once
    pysmax analyse strain $system
done
