#pragma once
/// @file
/// The program: one function a subcommand, and the one place where errors become exit codes.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/errors.hpp"

namespace invaria::app {

/// What every subcommand that reads a suite takes.
struct SuiteOptions {
  std::string suite;                                ///< path of the suite file
  std::vector<std::filesystem::path> data_folders;  ///< --data, then INVARIA_DATA
  std::vector<std::string> overrides;               ///< --set json.path=value
};

struct RunOptions {
  SuiteOptions suite;
  std::string device = "auto";  ///< cpu, cuda, auto
  std::filesystem::path output;
  double stop_after_s = 0.0;  ///< 0: no limit
  double watchdog_s = 600.0;  ///< 0: off
  std::string stage = "all";  ///< all, pretrain, sweep
  std::string share = "1/1";  ///< K/N, of the sweep
};

struct CheckOptions {
  SuiteOptions suite;
  bool decode = false;        ///< read every picture too
  bool without_data = false;  ///< believe the manifests
};

struct PlanOptions {
  SuiteOptions suite;
  std::string device = "auto";
  int64_t ranks = 1;  ///< of the run; under a launcher its ranks
  bool without_data = false;
  bool json = false;     ///< for programs rather than people
  bool scaling = false;  ///< also a step's time on 8 to 1,024 ranks, by a model
  double latency_us = 5.0;
  double bandwidth_GBs = 25.0;
};

struct MeasureOptions {
  std::filesystem::path output;  ///< a run's directory
  std::vector<std::filesystem::path> data_folders;
  std::vector<std::string> overrides;  ///< --set path=value, in the suite's section `measure`
  std::string device = "auto";
  double watchdog_s = 600.0;  ///< 0: off
};

struct ReportOptions {
  std::vector<std::filesystem::path> results;   ///< directories of runs, or their results.h5
  std::filesystem::path html, markdown, latex;  ///< files to write; empty: not asked for
  std::filesystem::path csv, tensorboard;       ///< folders to write
  bool writes_files() const {
    return !html.empty() || !markdown.empty() || !latex.empty() || !csv.empty() || !tensorboard.empty();
  }
};

struct CompareOptions {
  std::filesystem::path before, after;
  double threshold = 1.0;  ///< test points
};

struct WatchOptions {
  std::filesystem::path output;  ///< a run's directory
  double every_s = 2.0;
  bool once = false;
};

struct VerifyOptions {
  std::filesystem::path results;  ///< a run's directory or its results.h5
  std::vector<std::filesystem::path> data_folders;
};

/// One encoder of a finished run at one i.
struct EncoderOptions {
  std::filesystem::path results;           ///< a run's directory or its results.h5
  std::string encoder;                     ///< name in the suite
  std::optional<int64_t> seed;             ///< encoder seed; empty: the suite's first
  std::string invariance;                  ///< "1,0"; empty without conditioning
  std::string bn_statistics = "as-swept";  ///< as-swept, running, re-estimated
  std::vector<std::filesystem::path> data_folders;
};

struct FeaturesOptions {
  EncoderOptions encoder;
  std::string data;                 ///< a data set of the suite, or another with a manifest
  std::vector<std::string> splits;  ///< empty: all
  std::filesystem::path output;
  std::string device = "auto";  ///< cpu, cuda, auto
};

struct BenchOptions {
  std::vector<std::string> stages;  ///< names, or what stands before their slash; empty: all but scale
  std::string python;               ///< that has the peers; empty: without them
  std::filesystem::path json;       ///< file to write; empty: none
  int64_t pairs = 7;
  double seconds = 0.2;  ///< that one side of a pair runs at least
  int threads = 1;
  std::string device = "cpu";  ///< "cpu" or "cuda"
  bool list = false;           ///< say what there is, and measure nothing
};

struct DataOptions {
  std::string name;  ///< of the data set; not for list
  std::vector<std::filesystem::path> folders;
  std::filesystem::path output;  ///< pack: empty: the first of `folders`
  int64_t pixels = 0;            ///< pack: side of the decoded pictures; 0: the files as they are
  std::string resize = "whole-frame";
};

/// Each returns the exit code and throws the errors of core/errors.hpp. `argc` and `argv` are for MPI.
ExitCode run_command(const RunOptions& options, int* argc, char*** argv);
ExitCode check_command(const CheckOptions& options);
ExitCode plan_command(const PlanOptions& options, int* argc, char*** argv);
ExitCode report_command(const ReportOptions& options);
ExitCode compare_command(const CompareOptions& options);
ExitCode watch_command(const WatchOptions& options);
ExitCode measure_command(const MeasureOptions& options, int* argc, char*** argv);
ExitCode bench_command(const BenchOptions& options, int* argc, char*** argv);
ExitCode verify_command(const VerifyOptions& options);
ExitCode doctor_command(const std::filesystem::path& output, const std::vector<std::filesystem::path>& data_folders,
                        int* argc, char*** argv);
ExitCode export_command(const EncoderOptions& options, const std::filesystem::path& output);
ExitCode features_command(const FeaturesOptions& options);
ExitCode data_list_command(const DataOptions& options);
ExitCode data_verify_command(const DataOptions& options);
ExitCode data_pack_command(const DataOptions& options);
ExitCode schema_command();

/// Parse the command line, call the subcommand, turn what it throws into a message and an exit code.
int main(int argc, char** argv);

}  // namespace invaria::app
