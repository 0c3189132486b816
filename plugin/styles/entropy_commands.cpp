#include "entropy_commands.h"

#include "failure.h"
#include "cell_tools.h"
#include "committee.h"
#include "dataset_reader.h"
#include "fix_entropy.h"
#include "generator.h"

#include "comm.h"
#include "error.h"
#include "exceptions.h"
#include "universe.h"

#include <limits>
#include <map>

using namespace LAMMPS_NS;
using namespace smax;

namespace {

std::vector<std::string> words(int narg, char **arg, int from)
{
  return {arg + from, arg + narg};
}

}    // namespace

void EntropyGenerate::command(int narg, char **arg)
{
  if (narg < 1)
    fail_everywhere(lmp, "entropy_generate: found no arguments, expected the ID of a fix entropy");
  auto *fix = entropy_fix(lmp, "entropy_generate", arg[0]);
  GeneratorOptions options;
  try {
    options = parse_generator_options(words(narg, arg, 1));
    check_types(options.recipe, fix);
  } catch (std::exception &e) {
    fail_everywhere(lmp, e.what());
  }
  if (comm->me == 0) utils::logmesg(lmp, "entropy_generate: recipe\n{}", options.recipe.describe());
  Generator(lmp, fix, options).run();
}

/* ---------------------------------------------------------------------- */

void EntropyCandidate::command(int narg, char **arg)
{
  if (narg < 1)
    fail_everywhere(lmp, "entropy_candidate: found no arguments, expected the ID of a fix entropy");
  auto *fix = entropy_fix(lmp, "entropy_candidate", arg[0]);
  const long most = std::numeric_limits<long>::max();
  uint64_t seed = 1, index = 0;
  try {
    Recipe recipe;
    Keywords keywords;
    add_recipe_keywords(keywords, recipe);
    keywords["recipe"] = [&](const Values &v) {
      v.count(1);
      recipe.read(v.all()[0]);
    };
    keywords["seed"] = [&](const Values &v) {
      v.count(1);
      seed = uint64_t(v.integer(0, 0, most));
    };
    keywords["index"] = [&](const Values &v) {
      v.count(1);
      index = uint64_t(v.integer(0, 0, most));
    };
    parse_keywords("entropy_candidate", words(narg, arg, 1), keywords);
    recipe.validate();
    check_types(recipe, fix);
    place_candidate(lmp, fix, make_candidate(recipe, seed, index));
  } catch (LAMMPSException &) {
    throw;
  } catch (std::exception &e) {
    fail_everywhere(lmp, e.what());
  }
}

/* ---------------------------------------------------------------------- */

void EntropyAccept::command(int narg, char **arg)
{
  if (narg < 1)
    fail_everywhere(lmp, "entropy_accept: found no arguments, expected the ID of a fix entropy");
  auto *fix = entropy_fix(lmp, "entropy_accept", arg[0]);
  GeneratorOptions options;
  options.nconf = std::numeric_limits<int64_t>::max();
  options.max_tries = options.nconf;
  options.lag = 1;
  std::string out;
  try {
    Keywords keywords;
    add_acceptance_keywords(keywords, options.accept);
    keywords["out"] = [&](const Values &v) {
      v.count(1);
      out = v.all()[0];
    };
    parse_keywords("entropy_accept", words(narg, arg, 1), keywords);
  } catch (std::exception &e) {
    fail_everywhere(lmp, e.what());
  }
  if (!out.empty() && universe->nworlds > 1)
    fail_everywhere(lmp, "entropy_accept out: found " + std::to_string(universe->nworlds) +
                             " partitions, expected one: they would share the files");
  if (!fix->dataset().has_reference())
    error->all(FLERR,
               "entropy_accept: the dataset has no reference variances, expected "
               "entropy_dataset {} reference or read before",
               arg[0]);

  evaluate_features(lmp, fix);
  fix->reset_term();
  Result r;
  r.moments = collect_moments(lmp, fix);
  r.ratio = fix->min_ratio();
  r.distance = fix->min_distance();
  r.evaluations = fix->tally.evaluations - fix->tally.at_accept;
  fix->tally.at_accept = fix->tally.evaluations;
  r.atoms = collect_candidate(lmp, fix);

  // every rank decides alike; rank 0 writes
  try {
    Dataset data = fix->dataset();
    r.index = data.state.next_index;
    std::unique_ptr<RunFiles> files;
    if (comm->me == 0 && !out.empty()) {
      files = std::make_unique<RunFiles>(out);
      if (data.state.table_bytes > 0)
        files->resume(data.state);
      else if (!files->open(false))
        files->create();
    }
    auto say = [this](const std::string &text) {
      if (comm->me == 0) utils::logmesg(lmp, table_heading() + text);
    };
    Committee committee(std::move(data), files.get(), options, 1, say, [](const Message &) {});
    committee.take(r);
    fix->dataset() = committee.dataset();
  } catch (std::exception &e) {
    fail_here(lmp, fmt::format("entropy_accept: {}", e.what()));
  }
}

/* ---------------------------------------------------------------------- */

void EntropyDataset::command(int narg, char **arg)
{
  static const std::map<std::string, int> files = {{"read", 1},      {"write", 1}, {"add", 1},
                                                   {"reference", 1}, {"clear", 0}, {"features", 2}};
  static const char *const many[] = {"none", "one file", "two files"};
  if (narg < 2)
    fail_everywhere(lmp, "entropy_dataset: found too few arguments, expected FIX-ID action FILE");
  auto *fix = entropy_fix(lmp, "entropy_dataset", arg[0]);
  const std::string action = arg[1];
  const auto known = files.find(action);
  if (known == files.end())
    error->all(
        FLERR,
        "entropy_dataset: found '{}', expected read, write, add, reference, clear or features",
        action);
  const std::vector<std::string> file = words(narg, arg, 2);
  if (int(file.size()) != known->second)
    error->all(FLERR, "entropy_dataset {}: found {} arguments, expected {}", action, file.size(),
               many[known->second]);
  try {
    act(fix, action, file);
  } catch (LAMMPSException &) {
    throw;
  } catch (std::exception &e) {
    fail_everywhere(lmp, fmt::format("entropy_dataset {}: {}", action, e.what()));
  }
}

void EntropyDataset::act(FixEntropy *fix, const std::string &action,
                         const std::vector<std::string> &file)
{
  Dataset &data = fix->dataset();
  const bool chair = universe->me == 0;
  int64_t rows = 0;
  if (action == "clear") {
    data.moments = Moments(data.nfeatures());
    data.add(data.moments);
    data.state = RunState();
  } else if (action == "read") {
    read_moments(data, file[0]);
  } else if (action == "add") {
    data.add(moments_of_file(lmp, fix, file[0]));
  } else if (action == "reference") {
    data.set_reference(moments_of_file(lmp, fix, file[0]));
  } else if (action == "write") {
    if (chair) write([&] { data.save(file[0]); });
  } else {
    const FileFeatures found = features_of_file(lmp, fix, file[0]);
    rows = found.rows;
    if (chair) write([&] { found.save(file[1]); });
  }
  if (comm->me == 0 && (action != "write" || chair)) {
    const std::string what = action == "features" ? fmt::format("{} vectors to {}", rows, file[1])
                                                  : fmt::format("N = {}", data.moments.count);
    utils::logmesg(lmp, "entropy_dataset {} {}: {}\n", action, file.empty() ? "" : file[0], what);
  }
}

// What only one rank does, only one rank can fail at.

void EntropyDataset::write(const std::function<void()> &save)
{
  try {
    save();
  } catch (std::exception &e) {
    fail_here(lmp, fmt::format("entropy_dataset: {}", e.what()));
  }
}
