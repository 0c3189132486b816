// Messages between the partitions of a generator: results to the first partition, decisions back.
//
// Only rank 0 of each partition takes part. Nothing here waits for another partition, except
// finish().

#ifndef SMAX_EXCHANGE_H
#define SMAX_EXCHANGE_H

#include <cstddef>
#include <list>
#include <mpi.h>
#include <string>
#include <vector>

namespace LAMMPS_NS {
class LAMMPS;
}

namespace smax {

using Message = std::vector<double>;

class Exchange {
 public:
  explicit Exchange(LAMMPS_NS::LAMMPS *lmp);
  ~Exchange();
  int partitions() const { return int(roots.size()); }
  int partition() const { return mine; }
  bool chair() const { return mine == 0; }    // of rank 0 of its world

  void send_to_chair(Message m) { send(roots[0], RESULT, std::move(m)); }
  void send_to_all(const Message &m);    // every partition but this one
  // true if one had come; does not wait
  bool receive_result(Message &m) { return receive(RESULT, m); }
  bool receive_decision(Message &m) { return receive(DECISION, m); }
  // waits until every message of this rank has been received
  void flush();
  std::size_t pending();    // messages of this rank not received yet

 private:
  enum Tag { RESULT = 71, DECISION = 72 };
  struct Sent {
    Message data;
    MPI_Request request;
  };
  MPI_Comm uworld;    // a duplicate: other traffic can't mix in
  std::vector<int> roots;
  int mine;
  std::list<Sent> outbox;

  void send(int rank, Tag tag, Message m);
  bool receive(Tag tag, Message &m);
};

// Text k of n, kept by member k % P of comm as its text k / P, for all k in order: the whole on
// member 0, "" elsewhere. Each member brings as many texts, some of them empty. Collective.
std::string in_order(MPI_Comm comm, const std::vector<std::string> &mine, int n);

}    // namespace smax

#endif
