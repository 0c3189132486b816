#include "saved_model.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <sys/stat.h>

using namespace smax;

namespace {

[[noreturn]] void broken()
{
  throw std::runtime_error("found broken or truncated data, expected a SavedModel");
}

// One message of the protobuf wire format, field after field. Never reads outside its bytes.
class Message {
 public:
  Message(const char *begin, size_t size) : at(begin), end(begin + size) {}
  explicit Message(const std::string &bytes) : Message(bytes.data(), bytes.size()) {}

  bool next()    // to the next field; false at the end
  {
    if (at == end) return false;
    const uint64_t key = varint();
    field = int(key >> 3);
    if (key >> 3 == 0 || key >> 3 > (1u << 29)) broken();
    switch (key & 7) {
      case 0:
        value = varint();
        break;
      case 1:
        skip(8);
        break;
      case 2: {
        const uint64_t size = varint();
        if (size > uint64_t(end - at)) broken();
        text = at;
        length = size_t(size);
        at += length;
        break;
      }
      case 5:
        skip(4);
        break;
      default:
        broken();
    }
    kind = int(key & 7);
    return true;
  }

  int field = 0;
  Message message() const
  {
    if (kind != 2) broken();
    return {text, length};
  }
  std::string string() const
  {
    if (kind != 2) broken();
    return {text, length};
  }
  int64_t integer() const
  {
    if (kind != 0) broken();
    return static_cast<int64_t>(value);
  }

 private:
  const char *at, *end;
  const char *text = nullptr;
  size_t length = 0;
  uint64_t value = 0;
  int kind = 0;

  uint64_t varint()
  {
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at == end) broken();
      const auto byte = static_cast<unsigned char>(*at++);
      v |= uint64_t(byte & 127u) << shift;
      if (byte < 128) return v;
    }
    broken();
  }
  void skip(std::ptrdiff_t n)
  {
    if (end - at < n) broken();
    at += n;
  }
};

std::vector<int64_t> shape(Message m)    // TensorShapeProto
{
  std::vector<int64_t> dims;
  while (m.next()) {
    if (m.field != 2) continue;
    int64_t size = 0;
    Message dim = m.message();
    while (dim.next())
      if (dim.field == 1) size = dim.integer();
    dims.push_back(size);
  }
  return dims;
}

TensorSpec tensor_info(Message m)    // TensorInfo
{
  TensorSpec spec;
  while (m.next()) {
    if (m.field == 1) spec.tensor = m.string();
    if (m.field == 2) spec.dtype = int(m.integer());
    if (m.field == 3) spec.dims = shape(m.message());
  }
  return spec;
}

// An entry of a map: key is field 1, value field 2
template <class Read> auto entry(Message m, const Read &read)
{
  std::pair<std::string, decltype(read(m))> both;
  while (m.next()) {
    if (m.field == 1) both.first = m.string();
    if (m.field == 2) both.second = read(m.message());
  }
  return both;
}

Signature signature(Message m)    // SignatureDef
{
  Signature s;
  while (m.next()) {
    if (m.field == 1) s.inputs.insert(entry(m.message(), tensor_info));
    if (m.field == 2) s.outputs.insert(entry(m.message(), tensor_info));
  }
  return s;
}

struct Tags {
  bool serve = false;
  std::string version;
};

Tags meta_info(Message m)    // MetaInfoDef
{
  Tags tags;
  while (m.next()) {
    if (m.field == 4 && m.string() == "serve") tags.serve = true;
    if (m.field == 5) tags.version = m.string();
  }
  return tags;
}

}    // namespace

std::string TensorSpec::operation() const
{
  return tensor.substr(0, tensor.find(':'));
}

int TensorSpec::index() const
{
  const size_t colon = tensor.find(':');
  return colon == std::string::npos ? 0 : std::atoi(tensor.c_str() + colon + 1);
}

SavedModel smax::parse_saved_model(const std::string &bytes)
{
  Message all(bytes);
  while (all.next()) {
    if (all.field != 2) continue;    // MetaGraphDef
    SavedModel model;
    bool serve = false;
    Message graph = all.message();
    while (graph.next()) {
      if (graph.field == 1) {
        const Tags tags = meta_info(graph.message());
        serve = tags.serve;
        model.version = tags.version;
      }
      if (graph.field == 5) model.signatures.insert(entry(graph.message(), signature));
    }
    if (serve) return model;
  }
  throw std::runtime_error("found no graph tagged 'serve', expected a SavedModel");
}

SavedModel smax::read_saved_model(const std::string &folder)
{
  const std::string path = folder + "/saved_model.pb";
  struct stat what{};
  if (stat(path.c_str(), &what) == 0 && !S_ISREG(what.st_mode))
    throw std::runtime_error("'" + path + "' is no regular file");
  std::ifstream in(path, std::ios::binary);
  if (!in)
    throw std::runtime_error("cannot read '" + path + "' (" + std::strerror(errno) +
                             "), expected the folder of a SavedModel");
  std::ostringstream bytes;
  bytes << in.rdbuf();
  try {
    return parse_saved_model(bytes.str());
  } catch (const std::runtime_error &e) {
    throw std::runtime_error("'" + path + "': " + e.what());
  }
}
