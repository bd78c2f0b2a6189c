#pragma once
/// @file
/// Curves and summary as TensorBoard's event files.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "io/results.hpp"

namespace invaria::report {

/// Write `<folder>/<run>/events.out.tfevents.<seconds>.<host>`, one a run as TensorBoard calls it: for each encoder its
/// pretraining (loss, top1, ... over steps) and monitor; for each job that learned an i the path of i on each axis, of
/// loss and validation over recorded points; `summary` with each arm's mean test value on each task.
/// @return the files. @throws EnvironmentError from the file system
std::vector<std::filesystem::path> write_event_files(const io::Results& results, const std::filesystem::path& folder);

/// CRC-32C (Castagnoli, RFC 3720, appendix B.4), with which event files are framed.
uint32_t crc32c(std::string_view bytes);

}  // namespace invaria::report
