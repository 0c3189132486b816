#!/bin/sh
# Compounds of tungsten and beryllium, evaluated in three ways, in half a minute:
#   sh relax.sh [POTENTIAL]      potential.yaml, the folder of a GRACE model; default: potential.yaml here
set -e
potential=${1:-potential.yaml}
for mode in single internal full; do
    pysmax render relax --potential "$potential" -o $mode --set structures=structures.extxyz --set mode=$mode
    (cd $mode && mpirun -np 2 lmp -in in.relax -partition 2x1 > out.txt)      # again: it goes on with what is not done
    pysmax analyse relax $mode      # full/analysis/relaxed.extxyz: all structures, in the order they were given
done
