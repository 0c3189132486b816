#include "exchange.h"

#include "lammps.h"
#include "universe.h"

#include <exception>

using namespace smax;

Exchange::Exchange(LAMMPS_NS::LAMMPS *lmp)
{
  const auto *universe = lmp->universe;
  MPI_Comm_dup(universe->uworld, &uworld);
  mine = universe->iworld;
  roots.assign(universe->root_proc, universe->root_proc + universe->nworlds);
}

Exchange::~Exchange()
{
  if (std::uncaught_exceptions()) return;    // LAMMPS is about to abort: wait for nobody
  flush();
  MPI_Comm_free(&uworld);
}

void Exchange::send(int rank, Tag tag, Message m)
{
  outbox.push_back({std::move(m), MPI_REQUEST_NULL});
  Sent &s = outbox.back();
  // synchronous: a message that is no longer pending has been received, none is left for a later
  // run
  MPI_Issend(s.data.data(), int(s.data.size()), MPI_DOUBLE, rank, tag, uworld, &s.request);
}

void Exchange::send_to_all(const Message &m)
{
  for (size_t p = 0; p < roots.size(); p++)
    if (int(p) != mine) send(roots[p], DECISION, m);
}

bool Exchange::receive(Tag tag, Message &m)
{
  if (roots.size() == 1) return false;
  int there = 0, size = 0;
  MPI_Status status;
  MPI_Iprobe(MPI_ANY_SOURCE, tag, uworld, &there, &status);
  if (!there) return false;
  MPI_Get_count(&status, MPI_DOUBLE, &size);
  m.resize(size);
  MPI_Recv(m.data(), size, MPI_DOUBLE, status.MPI_SOURCE, tag, uworld, MPI_STATUS_IGNORE);
  return true;
}

size_t Exchange::pending()
{
  for (auto s = outbox.begin(); s != outbox.end();) {
    int done = 0;
    MPI_Test(&s->request, &done, MPI_STATUS_IGNORE);
    s = done ? outbox.erase(s) : std::next(s);
  }
  return outbox.size();
}

void Exchange::flush()
{
  for (Sent &s : outbox) MPI_Wait(&s.request, MPI_STATUS_IGNORE);
  outbox.clear();
}

/* ---------------------------------------------------------------------- */

std::string smax::in_order(MPI_Comm comm, const std::vector<std::string> &mine, int n)
{
  int P, me;
  MPI_Comm_size(comm, &P);
  MPI_Comm_rank(comm, &me);
  const int rows = int(mine.size());
  std::string text;
  std::vector<int> length(rows), lengths(size_t(rows) * P), total(P, 0), start(P, 0);
  for (int row = 0; row < rows; row++) {
    text += mine[row];
    length[row] = int(mine[row].size());
  }
  MPI_Allgather(length.data(), rows, MPI_INT, lengths.data(), rows, MPI_INT, comm);
  for (int p = 0; p < P; p++) {
    for (int row = 0; row < rows; row++) total[p] += lengths[size_t(p) * rows + row];
    if (p > 0) start[p] = start[p - 1] + total[p - 1];
  }
  std::string all(me ? 0 : start[P - 1] + total[P - 1], ' ');
  MPI_Gatherv(text.data(), int(text.size()), MPI_CHAR, &all[0], total.data(), start.data(),
              MPI_CHAR, 0, comm);
  std::string ordered;
  for (int k = 0; k < n && me == 0; k++) {
    const int size = lengths[size_t(k % P) * rows + k / P];
    ordered += all.substr(start[k % P], size);
    start[k % P] += size;
  }
  return ordered;
}
