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
  MPI_Isend(s.data.data(), int(s.data.size()), MPI_DOUBLE, rank, tag, uworld, &s.request);
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
