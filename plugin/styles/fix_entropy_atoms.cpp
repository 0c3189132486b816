// fix entropy: what it keeps per atom, and how that travels.

#include "fix_entropy.h"

#include "atom.h"
#include "memory.h"

#include <cstring>

using namespace LAMMPS_NS;

void FixEntropy::grow_arrays(int nmax)
{
  memory->grow(radius, nmax, "fix_entropy:radius");
  memory->grow(array_atom, nmax, nfeat + 1, "fix_entropy:array_atom");
  for (int i = nmax_array; i < nmax; i++)
    for (int c = 0; c <= nfeat; c++) array_atom[i][c] = 0.0;
  nmax_array = nmax;
}

void FixEntropy::copy_arrays(int i, int j, int /*delflag*/)
{
  radius[j] = radius[i];
  memcpy(array_atom[j], array_atom[i], sizeof(double) * (nfeat + 1));
}

void FixEntropy::set_arrays(int i)
{
  radius[i] = rtype[atom->type[i]];
  for (int c = 0; c < nfeat; c++) array_atom[i][c] = 0.0;
  array_atom[i][nfeat] = radius[i];
}

int FixEntropy::pack_border(int n, int *send, double *buf)
{
  for (int i = 0; i < n; i++) buf[i] = radius[send[i]];
  return n;
}

int FixEntropy::unpack_border(int n, int start, double *buf)
{
  for (int i = 0; i < n; i++) radius[start + i] = buf[i];
  return n;
}

int FixEntropy::pack_exchange(int i, double *buf)
{
  buf[0] = radius[i];
  return 1;
}

int FixEntropy::unpack_exchange(int nlocal, double *buf)
{
  radius[nlocal] = buf[0];
  return 1;
}

int FixEntropy::pack_restart(int i, double *buf)
{
  buf[0] = 2;    // count of values, this one included
  buf[1] = radius[i];
  return 2;
}

void FixEntropy::unpack_restart(int nlocal, int nth)
{
  double **extra = atom->extra;
  int m = 0;
  for (int i = 0; i < nth; i++) m += static_cast<int>(extra[nlocal][m]);
  radius[nlocal] = extra[nlocal][m + 1];
}

int FixEntropy::size_restart(int /*nlocal*/)
{
  return 2;
}
int FixEntropy::maxsize_restart()
{
  return 2;
}
