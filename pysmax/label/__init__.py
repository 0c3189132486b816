"""Labels: reference energies, forces and stresses of structures."""
