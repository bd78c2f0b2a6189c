#include "core/energy.hpp"

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "tests/support/catch.hpp"

using namespace invaria;
namespace fs = std::filesystem;

namespace {

/// A folder as the kernel's, with counters of our own.
class FakePowercap {
 public:
  FakePowercap() : folder_(fs::temp_directory_path() / ("invaria-powercap-" + std::to_string(getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~FakePowercap() { fs::remove_all(folder_); }
  void zone(const std::string& zone, const std::string& name, uint64_t energy_uj,
            uint64_t range_uj = 10'000'000) const {
    fs::create_directories(folder_ / zone);
    std::ofstream(folder_ / zone / "name") << name << "\n";
    std::ofstream(folder_ / zone / "energy_uj") << energy_uj << "\n";
    std::ofstream(folder_ / zone / "max_energy_range_uj") << range_uj << "\n";
  }
  const fs::path& path() const { return folder_; }

 private:
  fs::path folder_;
};

}  // namespace

TEST_CASE("the packages' counters are added up from where they stood, past their end and on", "[core][energy]") {
  const FakePowercap powercap;
  powercap.zone("intel-rapl:0", "package-0", 1'000'000);
  powercap.zone("intel-rapl:1", "package-1", 9'000'000);
  powercap.zone("intel-rapl:0:0", "core", 500'000);
  powercap.zone("intel-rapl:2", "psys", 700'000);
  EnergyMeter meter(powercap.path());
  powercap.zone("intel-rapl:0", "package-0", 3'500'000);
  powercap.zone("intel-rapl:1", "package-1", 1'000'000);  // began again at 10 J
  powercap.zone("intel-rapl:0:0", "core", 9'500'000);
  powercap.zone("intel-rapl:2", "psys", 9'700'000);
  CHECK(meter.lap().cpu_J == Approx(2.5 + 2.0));
  CHECK(meter.lap().cpu_J == 0.0);
}

TEST_CASE("a package that two interfaces show counts once, and one of unknown range not past its end",
          "[core][energy]") {
  const FakePowercap powercap;
  for (const char* zone : {"intel-rapl:0", "intel-rapl-mmio:0"}) powercap.zone(zone, "package-0", 1'000'000, 0);
  EnergyMeter meter(powercap.path());
  for (const char* zone : {"intel-rapl:0", "intel-rapl-mmio:0"}) powercap.zone(zone, "package-0", 3'000'000, 0);
  CHECK(meter.lap().cpu_J == Approx(2.0));
  for (const char* zone : {"intel-rapl:0", "intel-rapl-mmio:0"}) powercap.zone(zone, "package-0", 1'000'000, 0);
  CHECK(std::isnan(meter.lap().cpu_J));
}

TEST_CASE("without a readable counter the energy is not known", "[core][energy]") {
  EnergyMeter nowhere("/nonexistent");
  CHECK(std::isnan(nowhere.lap().cpu_J));
  CHECK(std::isnan(nowhere.lap().cpu_J));

  const FakePowercap powercap;
  powercap.zone("intel-rapl:0", "package-0", 1);
  EnergyMeter meter(powercap.path());
  fs::remove(powercap.path() / "intel-rapl:0/energy_uj");
  CHECK(std::isnan(meter.lap().cpu_J));
}

TEST_CASE("the energy of all GPUs is what NVML counted since the last look", "[core][energy]") {
  const FakePowercap powercap;
  const std::string counters = powercap.path() / "gpus";
  setenv("FAKE_NVML", counters.c_str(), 1);
  const auto write = [&](const std::string& text) { std::ofstream(counters) << text; };
  write("7000\n500\n");
  EnergyMeter meter(powercap.path(), INVARIA_FAKE_NVML);
  CHECK(meter.lap().gpu_J == 0.0);
  write("9500\n1250\n");
  CHECK(meter.lap().gpu_J == Approx(2.5 + 0.75));
  write("9500\nlost\n");
  CHECK(std::isnan(meter.lap().gpu_J));
}

TEST_CASE("a machine without NVML has GPUs of no energy, or of an unknown one", "[core][energy]") {
  EnergyMeter meter("/nonexistent", "libnowhere.so.1");
  const double gpu_J = meter.lap().gpu_J;
  CHECK((fs::exists("/dev/nvidia0") ? std::isnan(gpu_J) : gpu_J == 0.0));
}
