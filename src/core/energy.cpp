#include "core/energy.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <fstream>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace invaria {

namespace {

namespace fs = std::filesystem;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::optional<uint64_t> read_counter(const fs::path& path) {
  std::ifstream file(path);
  uint64_t value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

/// One processor package: microjoules that begin again at zero past `range`.
struct Package {
  fs::path counter;
  uint64_t range = 0;  ///< 0: not told
  std::optional<uint64_t> last;
};

/// The packages among the zones; the others (cores, DRAM, the whole board) are parts of one, or hold several. Some
/// machines show a package twice, by two interfaces (intel-rapl and intel-rapl-mmio): one that can be read counts.
std::vector<Package> find_packages(const fs::path& powercap) {
  std::map<std::string, Package> by_name;
  std::error_code error;
  for (const fs::directory_entry& zone : fs::directory_iterator(powercap, error)) {
    std::ifstream file(zone.path() / "name");
    std::string name;
    if (!(file >> name) || !name.starts_with("package")) continue;
    Package package{zone.path() / "energy_uj", read_counter(zone.path() / "max_energy_range_uj").value_or(0), {}};
    package.last = read_counter(package.counter);
    const auto [known, is_first] = by_name.try_emplace(name, package);
    if (!is_first && !known->second.last) known->second = package;
  }
  std::vector<Package> packages;
  for (const auto& [name, package] : by_name) packages.push_back(package);
  return packages;
}

/// NVML, found at run time: a machine without GPUs has none. Signatures as in nvml.h.
class Nvml {
 public:
  explicit Nvml(const std::string& library)
      : library_(dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL)), is_unread_(fs::exists("/dev/nvidia0")) {
    if (library_ == nullptr) return;
    const auto init = function<int (*)()>("nvmlInit_v2");
    const auto count = function<int (*)(unsigned*)>("nvmlDeviceGetCount_v2");
    const auto handle = function<int (*)(unsigned, void**)>("nvmlDeviceGetHandleByIndex_v2");
    energy_ = function<int (*)(void*, unsigned long long*)>("nvmlDeviceGetTotalEnergyConsumption");
    unsigned n = 0;
    if (init == nullptr || count == nullptr || handle == nullptr || energy_ == nullptr || init() != 0) return;
    is_ready_ = true;
    if (count(&n) != 0) return;
    is_unread_ = false;
    for (unsigned index = 0; index < n; ++index) {
      void* device = nullptr;
      devices_.push_back(handle(index, &device) == 0 ? device : nullptr);
    }
  }
  ~Nvml() {
    const auto shutdown = is_ready_ ? function<int (*)()>("nvmlShutdown") : nullptr;
    if (shutdown != nullptr) shutdown();
    if (library_ != nullptr) dlclose(library_);
  }
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  /// Since the driver was loaded, all GPUs together; NaN where there are some that cannot be read, 0 without any.
  double total_J() const {
    if (is_unread_) return kNaN;
    double total = 0.0;
    for (void* device : devices_) {
      unsigned long long millijoules = 0;
      if (device == nullptr || energy_(device, &millijoules) != 0) return kNaN;
      total += static_cast<double>(millijoules) * 1e-3;
    }
    return total;
  }

 private:
  template <class Function>
  Function function(const char* name) const {
    return reinterpret_cast<Function>(dlsym(library_, name));
  }

  void* library_;
  int (*energy_)(void*, unsigned long long*) = nullptr;
  bool is_ready_ = false;
  bool is_unread_;  ///< there are GPUs of which NVML says nothing
  std::vector<void*> devices_;
};

}  // namespace

struct EnergyMeter::Impl {
  Impl(const fs::path& powercap, const std::string& library)
      : packages(find_packages(powercap)),
        cpu_J(packages.empty() ? kNaN : 0.0),
        nvml(library),
        gpu_at_J(nvml.total_J()) {
    thread = std::thread([this] { watch(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    changed.notify_all();
    thread.join();
  }

  void watch() {
    std::unique_lock lock(mutex);
    while (!changed.wait_for(lock, std::chrono::seconds(30), [this] { return stop; })) look();
  }

  /// Add what the packages took since the last look. Call with `mutex` held.
  void look() {
    for (Package& package : packages) {
      const std::optional<uint64_t> now = read_counter(package.counter);
      const bool has_wrapped = now && package.last && *now < *package.last;
      if (!now || !package.last || (has_wrapped && package.range == 0)) {
        cpu_J = kNaN;
      } else {
        const uint64_t begun_again = has_wrapped ? package.range : 0;
        cpu_J += static_cast<double>(*now + begun_again - *package.last) * 1e-6;
      }
      package.last = now;
    }
  }

  std::mutex mutex;
  std::condition_variable changed;
  bool stop = false;
  std::vector<Package> packages;
  double cpu_J;
  Nvml nvml;
  double gpu_at_J;
  std::thread thread;
};

EnergyMeter::EnergyMeter(const fs::path& powercap, const std::string& nvml)
    : impl_(std::make_unique<Impl>(powercap, nvml)) {}
EnergyMeter::~EnergyMeter() = default;

Energy EnergyMeter::lap() {
  const std::lock_guard lock(impl_->mutex);
  impl_->look();
  const double gpu_J = impl_->nvml.total_J();
  const Energy taken{impl_->cpu_J, gpu_J - impl_->gpu_at_J};
  impl_->cpu_J = impl_->packages.empty() ? kNaN : 0.0;
  impl_->gpu_at_J = gpu_J;
  return taken;
}

}  // namespace invaria
