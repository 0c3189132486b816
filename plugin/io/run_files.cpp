#include "run_files.h"

#include "npz.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace smax;

namespace {

const std::string HEADER =
    "index,atoms,elements,volume_per_atom,S,dS,evaluations,seconds,verdict\n";

[[noreturn]] void fail(const std::string &path, const std::string &doing)
{
  throw std::runtime_error(doing + " " + path + ": " + strerror(errno));
}

void write_all(int fd, const std::string &path, const char *data, size_t size)
{
  while (size) {
    const ssize_t n = write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path, "cannot write");
    data += n;
    size -= size_t(n);
  }
}

int open_or_fail(const std::string &path, int flags)
{
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
  if (fd < 0) fail(path, "cannot open");
  return fd;
}

// bytes, or -1 if there is no such file
int64_t size_of(const std::string &path)
{
  struct stat info;
  return stat(path.c_str(), &info) ? -1 : int64_t(info.st_size);
}

void check_size(int fd, const std::string &path, int64_t size)
{
  struct stat info;
  if (fstat(fd, &info)) fail(path, "cannot examine");
  if (info.st_size < size)
    throw std::runtime_error(path + ": found " + std::to_string(info.st_size) +
                             " bytes, expected at least the " + std::to_string(size) +
                             " that the moments file counts");
}

void cut(int fd, const std::string &path, int64_t size)
{
  if (ftruncate(fd, size)) fail(path, "cannot cut");
  if (lseek(fd, 0, SEEK_END) < 0) fail(path, "cannot position in");
}

uint32_t checksum(int fd, const std::string &path, int64_t size)
{
  std::vector<char> buffer(1 << 20);
  uint32_t crc = 0;
  for (int64_t at = 0; at < size;) {
    const size_t want = size_t(std::min<int64_t>(size - at, int64_t(buffer.size())));
    const ssize_t n = pread(fd, buffer.data(), want, at);
    if (n <= 0) fail(path, "cannot read");
    crc = crc32(buffer.data(), size_t(n), crc);
    at += n;
  }
  return crc;
}

}    // namespace

RunFiles::RunFiles(const std::string &p) : prefix(p) {}

RunFiles::~RunFiles()
{
  if (frames >= 0) close(frames);
  if (table >= 0) close(table);
}

// For as long as this process lives, whatever kills it. A file system without locks has none.

void RunFiles::claim(bool create)
{
  if (frames >= 0) return;
  frames = open_or_fail(frames_path(), O_RDWR | (create ? O_CREAT : 0));
  if (flock(frames, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
    throw std::runtime_error(frames_path() +
                             ": another run is writing it, expected one run for each out");
}

bool RunFiles::open(bool restart)
{
  const bool moments = size_of(moments_path()) >= 0;
  if (!moments || size_of(frames_path()) >= 0) claim(true);
  if (moments && restart) return true;
  if (moments || size_of(frames_path()) > 0)
    throw std::runtime_error((moments ? moments_path() : frames_path()) + " exists" +
                             (restart
                                  ? " without " + moments_path() + ", expected both"
                                  : ": restart yes goes on with it, another out starts beside it"));
  return false;
}

void RunFiles::create()
{
  claim(true);    // open() has seen that it is empty
  table = open_or_fail(table_path(), O_RDWR | O_CREAT | O_TRUNC);
  frame_bytes = 0;
  crc = 0;
  append_row(HEADER);
}

void RunFiles::resume(const RunState &state)
{
  // a run that was stopped before its first frame may have no file for it
  claim(state.file_bytes == 0);
  table = open_or_fail(table_path(), O_RDWR);
  frame_bytes = state.file_bytes;
  table_bytes = state.table_bytes;
  // nothing is cut before everything is checked
  check_size(frames, frames_path(), frame_bytes);
  check_size(table, table_path(), table_bytes);
  crc = checksum(frames, frames_path(), frame_bytes);
  if (crc != state.file_crc)
    throw std::runtime_error(
        frames_path() + ": its first " + std::to_string(frame_bytes) +
        " bytes are not those that " + moments_path() +
        " counts (checksum differs): the files are of different runs or edited");
  cut(frames, frames_path(), frame_bytes);
  cut(table, table_path(), table_bytes);
}

void RunFiles::append_frame(const std::string &text)
{
  write_all(frames, frames_path(), text.data(), text.size());
  frame_bytes += int64_t(text.size());
  crc = crc32(text.data(), text.size(), crc);
}

void RunFiles::append_row(const std::string &text)
{
  write_all(table, table_path(), text.data(), text.size());
  table_bytes += int64_t(text.size());
}

void RunFiles::checkpoint(Dataset &dataset)
{
  dataset.state.file_bytes = frame_bytes;
  dataset.state.table_bytes = table_bytes;
  dataset.state.file_crc = crc;
  dataset.save(moments_path());
}

void RunFiles::write_file(const std::string &path, const std::string &text)
{
  const std::string temporary = path + ".tmp." + std::to_string(getpid());
  const int fd = open_or_fail(temporary, O_WRONLY | O_CREAT | O_TRUNC);
  try {
    write_all(fd, temporary, text.data(), text.size());
  } catch (...) {
    close(fd);
    unlink(temporary.c_str());
    throw;
  }
  if (close(fd) || rename(temporary.c_str(), path.c_str())) {
    unlink(temporary.c_str());
    fail(path, "cannot write");
  }
}
