// Two-layer models: atoms tell their ghosts what the first layer made of their surroundings, the
// second layer hears it, and the gradients by what was told go back the same way.

#include "pair_grace_native_work.h"

#include "atom.h"
#include "comm.h"
#include "force.h"
#include "neigh_list.h"

#include <algorithm>
#include <stdexcept>

using namespace LAMMPS_NS;

void PairGraceNative::init_style()
{
  PairGraceBase::init_style();
  comm_forward = comm_reverse = work->evaluator->message_size();
  // pair_style hybrid has summed up what its styles send before this was known
  force->pair->comm_forward = std::max(force->pair->comm_forward, comm_forward);
  force->pair->comm_reverse = std::max(force->pair->comm_reverse, comm_reverse);
}

void PairGraceNative::compute_layers()
{
  Work &w = *work;
  smax::GraceEvaluator &model = *w.evaluator;
  const size_t local = size_t(atom->nlocal), all = local + size_t(atom->nghost);
  for (auto *v : {&w.message, &w.dmessage}) v->assign(all * size_t(model.message_size()), 0.0);
  for (auto *v : {&w.density, &w.ddensity}) v->assign(local * size_t(model.density_size()), 0.0);

  // A failure of one rank is told when all have done their communication.
  std::string trouble;
  const auto pass = [&](const auto &step) {
    if (!trouble.empty()) return;
    try {
      for (int at = 0; at < list->inum;) {
        at = gather_bonds(at);
        w.make_room();
        step();
      }
    } catch (const std::exception &e) {
      trouble = *e.what() ? e.what() : "failed";
    }
  };
  pass([&] { model.tell(w.bonds(), w.message.data(), w.density.data()); });
  comm->forward_comm(this);
  pass([&] {
    model.hear(w.bonds(), w.message.data(), w.density.data(), w.energy.data(), w.gx.data(),
               w.gy.data(), w.gz.data(), w.dmessage.data(), w.ddensity.data());
    spread_energies();
    spread_forces();
  });
  comm->reverse_comm(this);
  pass([&] {
    model.trace(w.bonds(), w.dmessage.data(), w.ddensity.data(), w.gx.data(), w.gy.data(),
                w.gz.data());
    spread_forces();
  });
  together([&] {
    if (!trouble.empty()) throw std::runtime_error(trouble);
  });
}

int PairGraceNative::pack_forward_comm(int n, int *atoms, double *buf, int, int *)
{
  const size_t width = size_t(work->evaluator->message_size());
  for (int k = 0; k < n; k++)
    buf = std::copy_n(&work->message[size_t(atoms[k]) * width], width, buf);
  return n * int(width);
}

void PairGraceNative::unpack_forward_comm(int n, int first, double *buf)
{
  const size_t width = size_t(work->evaluator->message_size());
  std::copy_n(buf, size_t(n) * width, work->message.begin() + long(size_t(first) * width));
}

int PairGraceNative::pack_reverse_comm(int n, int first, double *buf)
{
  const size_t width = size_t(work->evaluator->message_size());
  std::copy_n(work->dmessage.begin() + long(size_t(first) * width), size_t(n) * width, buf);
  return n * int(width);
}

void PairGraceNative::unpack_reverse_comm(int n, int *atoms, double *buf)
{
  const size_t width = size_t(work->evaluator->message_size());
  for (int k = 0; k < n; k++) {
    double *to = &work->dmessage[size_t(atoms[k]) * width];
    for (size_t v = 0; v < width; v++) to[v] += *buf++;
  }
}
