#include "comm/agree.hpp"

#include <exception>
#include <string>

#include "core/errors.hpp"

namespace invaria::comm {
namespace {

/// The first letter of a report says which kind of error the rest is; an empty report says that all is well.
std::string report_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const ConfigError& error) {
    return std::string("C") + error.what();
  } catch (const EnvironmentError& error) {
    return std::string("E") + error.what();
  } catch (const std::exception& error) {
    return std::string("P") + error.what();
  }
  return "";
}

}  // namespace

void together(const Communicator& communicator, const std::function<void()>& work) {
  if (communicator.size() == 1) return work();
  const std::string mine = report_of(work);
  if (!communicator.any(!mine.empty())) return;
  const std::vector<std::string> reports = communicator.all_gather(mine);
  const std::vector<std::string> hosts = communicator.all_gather(communicator.host());
  for (size_t rank = 0; rank < reports.size(); ++rank) {
    if (reports[rank].empty()) continue;
    const std::string message = fmt::format("{} (rank {} on {})", reports[rank].substr(1), rank, hosts[rank]);
    switch (reports[rank][0]) {
      case 'C': throw ConfigError(message);
      case 'E': throw EnvironmentError(message);
      default: throw PreconditionError(message);
    }
  }
}

void on_root(const Communicator& communicator, const std::function<void()>& work) {
  together(communicator, [&] {
    if (communicator.is_root()) work();
  });
}

}  // namespace invaria::comm
