#include "comm/agree.hpp"

#include "comm/mpi.hpp"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <string>

#include "core/errors.hpp"
#include "core/machine_refusal.hpp"
#include "core/other_failed.hpp"

namespace invaria::comm {
namespace {

constexpr char kOther = 'O';

/// The first letter of a report says which kind of error the rest is; an empty report says that all is well.
std::string report_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const ConfigError& error) {
    return std::string("C") + error.what();
  } catch (const OtherFailed& error) {
    return kOther + std::string(error.what());
  } catch (const EnvironmentError& error) {
    return std::string("E") + error.what();
  } catch (const std::exception& error) {
    const std::string refusal = machine_refusal(error);
    return refusal.empty() ? std::string("P") + error.what() : "E" + refusal;
  }
  return "";
}

template <class Error>
struct Shared : Error, SharedFailure {
  using Error::Error;
};

}  // namespace

void together(const Communicator& communicator, const std::function<void()>& work) {
  if (communicator.size() == 1) return work();  // an error keeps its type
  const std::string mine = report_of(work);
  if (!communicator.any(!mine.empty())) return;
  const std::vector<std::string> reports = communicator.all_gather(mine);
  const std::vector<std::string> hosts = communicator.all_gather(communicator.host());
  const bool all_others = std::all_of(reports.begin(), reports.end(),
                                      [](const auto& report) { return report.empty() || report[0] == kOther; });
  for (size_t rank = 0; rank < reports.size(); ++rank) {
    if (reports[rank].empty() || (reports[rank][0] == kOther && !all_others)) continue;
    // What every rank says alike (a wrong suite) is no one rank's.
    const bool is_common =
        std::all_of(reports.begin(), reports.end(), [&](const std::string& report) { return report == reports[rank]; });
    const std::string message = is_common
                                    ? reports[rank].substr(1)
                                    : fmt::format("{} (rank {} on {})", reports[rank].substr(1), rank, hosts[rank]);
    switch (reports[rank][0]) {
      case 'C':
        throw Shared<ConfigError>(message);
      case 'E':
      case kOther:
        throw Shared<EnvironmentError>(message);
      default:
        throw Shared<PreconditionError>(message);
    }
  }
}

void on_root(const Communicator& communicator, const std::function<void()>& work) {
  together(communicator, [&] {
    if (communicator.is_root()) work();
  });
}

void abort_all(int exit_code) {
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::_Exit(exit_code);
}

}  // namespace invaria::comm
