// The files of a run: PREFIX.extxyz and PREFIX.table.csv grow, PREFIX.moments is replaced.
//
// Order of writes: frame and row first, then the moments that count them, then the log. So a kill
// at any moment leaves at most bytes behind the counted ones, and resume() cuts those off.

#ifndef SMAX_RUN_FILES_H
#define SMAX_RUN_FILES_H

#include "dataset.h"

#include <string>

namespace smax {

class RunFiles {
 public:
  explicit RunFiles(const std::string &prefix);
  ~RunFiles();
  RunFiles(const RunFiles &) = delete;
  RunFiles &operator=(const RunFiles &) = delete;

  std::string frames_path() const { return prefix + ".extxyz"; }
  std::string moments_path() const { return prefix + ".moments"; }
  std::string table_path() const { return prefix + ".table.csv"; }
  std::string random_path() const { return prefix + ".random.extxyz"; }

  // All throw std::runtime_error: path, what was found, what was expected.
  // Claims the files for this process, then: true: there is a run to resume; false: there is none,
  // call create(). Files that would be lost, that do not make a run, or that another process
  // claims, are errors.
  bool open(bool restart);
  void create();
  // Checks the files against the state, cuts off what the state does not count.
  void resume(const RunState &state);
  void append_frame(const std::string &text);
  void append_row(const std::string &text);
  // Puts sizes and checksum into the state and saves it.
  void checkpoint(Dataset &dataset);
  // A whole file at once, atomically.
  static void write_file(const std::string &path, const std::string &text);

 private:
  void claim(bool create);
  std::string prefix;
  int frames = -1, table = -1;    // file descriptors
  int64_t frame_bytes = 0, table_bytes = 0;
  uint32_t crc = 0;
};

}    // namespace smax

#endif
