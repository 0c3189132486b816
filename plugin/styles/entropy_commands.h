/* -*- c++ -*- ----------------------------------------------------------
   entropy_candidate FIX keyword value ...            one random candidate
   entropy_accept FIX keyword value ...               accept or reject it
   entropy_generate FIX keyword value ...             the whole loop
   entropy_dataset FIX read|write|add|reference FILE
   entropy_dataset FIX clear
   entropy_dataset FIX features FILE OUT
------------------------------------------------------------------------- */

#ifndef LMP_ENTROPY_COMMANDS_H
#define LMP_ENTROPY_COMMANDS_H

#include "command.h"

#include <functional>
#include <string>
#include <vector>

namespace LAMMPS_NS {

class EntropyCandidate : public Command {
 public:
  using Command::Command;
  void command(int, char **) override;
};

class EntropyAccept : public Command {
 public:
  using Command::Command;
  void command(int, char **) override;
};

class EntropyGenerate : public Command {
 public:
  using Command::Command;
  void command(int, char **) override;
};

class EntropyDataset : public Command {
 public:
  using Command::Command;
  void command(int, char **) override;

 private:
  void act(class FixEntropy *, const std::string &action, const std::vector<std::string> &files);
  void write(const std::function<void()> &save);
};

}    // namespace LAMMPS_NS

#endif
