// Two-layer models in pieces: layer by layer, with messages between atoms of different ranks.

#include "pair_grace_work.h"

#include "atom.h"

#include <algorithm>

using namespace LAMMPS_NS;

namespace {

// Rows of an array by atom, picked for the atoms of a batch; and added back.
void pick(const std::vector<double> &all, const std::vector<int> &atoms, size_t width,
          std::vector<double> &part)
{
  for (const int i : atoms) {
    const double *row = &all[size_t(i) * width];
    part.insert(part.end(), row, row + width);
  }
}

void add(const std::vector<double> &part, size_t from, const std::vector<int> &atoms, size_t width,
         std::vector<double> &all)
{
  const double *row = part.data() + from;
  for (const int i : atoms) {
    double *to = &all[size_t(i) * width];
    for (size_t k = 0; k < width; k++) to[k] += row[k];
    row += width;
  }
}

}    // namespace

void PairGrace::forward_layer_1(int first)
{
  Work &w = *work;
  gather_bonds(first);
  if (w.centre.empty()) return;
  calls->forward_1(w.batch, w.part_value);
  for (size_t m = 0; m < w.value.size(); m++)
    add(w.part_value[m], 0, w.centre, calls->messages()[m].width, w.value[m]);
}

void PairGrace::backward_layer_2(int first)
{
  Work &w = *work;
  gather_bonds(first);
  if (w.centre.empty()) return;
  const auto &messages = calls->messages();
  w.part_value.resize(messages.size());
  for (size_t m = 0; m < messages.size(); m++) {
    w.part_value[m].clear();
    pick(w.value[m], w.centre, messages[m].width, w.part_value[m]);
    if (messages[m].far) pick(w.value[m], w.far, messages[m].width, w.part_value[m]);
  }
  calls->backward_2(w.batch, w.part_value, w.energy, w.force, w.part_gradient);
  spread_energies();
  spread_forces();
  for (size_t m = 0; m < messages.size(); m++) {
    const size_t width = messages[m].width;
    add(w.part_gradient[m], 0, w.centre, width, w.gradient[m]);
    if (messages[m].far)
      add(w.part_gradient[m], w.centre.size() * width, w.far, width, w.gradient[m]);
  }
}

void PairGrace::backward_layer_1(int first)
{
  Work &w = *work;
  gather_bonds(first);
  if (w.centre.empty()) return;
  const auto &messages = calls->messages();
  w.part_gradient.resize(messages.size());
  for (size_t m = 0; m < messages.size(); m++) {
    w.part_gradient[m].clear();
    pick(w.gradient[m], w.centre, messages[m].width, w.part_gradient[m]);
  }
  calls->backward_1(w.batch, w.part_gradient, w.force);
  spread_forces();
}

int PairGrace::pack_forward_comm(int n, int *atoms, double *buf, int, int *)
{
  const Work &w = *work;
  int size = 0;
  for (int k = 0; k < n; k++) {
    if (w.send_owners) {
      buf[size++] = w.owner[atoms[k]];
      continue;
    }
    for (size_t m = 0; m < w.value.size(); m++) {
      if (!calls->messages()[m].far) continue;
      const size_t width = calls->messages()[m].width;
      std::copy_n(&w.value[m][size_t(atoms[k]) * width], width, buf + size);
      size += int(width);
    }
  }
  return size;
}

void PairGrace::unpack_forward_comm(int n, int first, double *buf)
{
  Work &w = *work;
  for (int i = first; i < first + n; i++) {
    if (w.send_owners) {
      w.owner[i] = int(*buf++);
      continue;
    }
    for (size_t m = 0; m < w.value.size(); m++) {
      if (!calls->messages()[m].far) continue;
      const size_t width = calls->messages()[m].width;
      std::copy_n(buf, width, &w.value[m][size_t(i) * width]);
      buf += width;
    }
  }
}

int PairGrace::pack_reverse_comm(int n, int first, double *buf)
{
  const Work &w = *work;
  int size = 0;
  for (int i = first; i < first + n; i++)
    for (size_t m = 0; m < w.gradient.size(); m++) {
      if (!calls->messages()[m].far) continue;
      const size_t width = calls->messages()[m].width;
      std::copy_n(&w.gradient[m][size_t(i) * width], width, buf + size);
      size += int(width);
    }
  return size;
}

void PairGrace::unpack_reverse_comm(int n, int *atoms, double *buf)
{
  Work &w = *work;
  for (int k = 0; k < n; k++)
    for (size_t m = 0; m < w.gradient.size(); m++) {
      if (!calls->messages()[m].far) continue;
      const size_t width = calls->messages()[m].width;
      double *to = &w.gradient[m][size_t(atoms[k]) * width];
      for (size_t v = 0; v < width; v++) to[v] += *buf++;
    }
}
