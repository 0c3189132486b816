#!/bin/sh
# Energy maps of deformed crystals, and one against a reference, in half a minute:
#   sh deformation.sh
set -e
# tin as in the paper, on a coarse grid, without a model
pysmax render deformation --system sn-diamond --potential stand-in --scale smoke -o tin
(cd tin && mpirun -np 2 lmp -in in.deformation -partition 2x1 > out.txt)      # again: it goes on with what is not done
pysmax analyse deformation tin
# copper along the Bain path; the reference labels the same structures (here another potential: it could be DFT)
pysmax render deformation --system any --potential potential.yaml -o copper \
    --set element=Cu --set crystal=fcc --set n_volume=13 --set n_scaling=25
(cd copper && mpirun -np 2 lmp -in in.deformation > out.txt)
pysmax label copper/grid.extxyz --engine lammps --config reference.yaml --to labelled
pysmax analyse deformation copper --set reference=labelled
