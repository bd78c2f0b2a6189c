#pragma once
/// @file
/// Energy that this machine took, from the counters that it has: RAPL for its processors (Linux' powercap,
/// Documentation/power/powercap), NVML for its GPUs.

#include <filesystem>
#include <memory>
#include <string>

namespace invaria {

/// Joules.
struct Energy {
  double cpu_J = 0.0;  ///< all processor packages; NaN where a counter is missing or not readable (often root's alone)
  double gpu_J = 0.0;  ///< all GPUs of the machine; 0 without any, NaN where one does not count
};

/// Counts from its construction on. The machine's other work counts too; make one a machine.
class EnergyMeter {
 public:
  /// @param powercap  where the kernel lists its counters; tests have a folder of their own
  /// @param nvml      NVML's library as dlopen finds it; tests have one of their own
  explicit EnergyMeter(const std::filesystem::path& powercap = "/sys/class/powercap",
                       const std::string& nvml = "libnvidia-ml.so.1");
  ~EnergyMeter();
  EnergyMeter(const EnergyMeter&) = delete;
  EnergyMeter& operator=(const EnergyMeter&) = delete;

  /// What was taken since the last call, or since construction. A thread of its own looks at the counters in between,
  /// since those of processors begin again at zero after minutes of full load.
  Energy lap();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace invaria
