#include "app/version.hpp"

#include <H5public.h>
#include <archive.h>
#include <cuda_runtime_api.h>
#include <cudnn_version.h>
#include <fmt/format.h>
#include <nccl.h>
#include <nlopt.h>
#include <png.h>
#include <torch/version.h>
#include <boost/version.hpp>
#include "comm/mpi.hpp"

#include "build_info.hpp"

// cudnn.h drags in the whole API for this one call.
extern "C" size_t cudnnGetVersion();

namespace invaria::app {
namespace {

/// 13000 -> "13.0"
std::string cuda_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

std::string mpi_text() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string whole(text, static_cast<size_t>(length));
  return whole.substr(0, whole.find(','));
}

std::string nlopt_text() {
  int major = 0, minor = 0, bugfix = 0;
  nlopt_version(&major, &minor, &bugfix);
  return fmt::format("{}.{}.{}", major, minor, bugfix);
}

}  // namespace

boost::json::object library_versions() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  int cuda_runtime = 0;
  cudaRuntimeGetVersion(&cuda_runtime);
  int nccl = 0;
  ncclGetVersion(&nccl);
  const size_t cudnn = cudnnGetVersion();
  return {{"LibTorch", TORCH_VERSION},
          {"MPI", mpi_text()},
          {"HDF5", fmt::format("{}.{}.{}", major, minor, release)},
          {"Boost", fmt::format("{}.{}.{}", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100)},
          {"CUDA", cuda_text(cuda_runtime)},
          {"cuDNN", fmt::format("{}.{}.{}", cudnn / 10000, cudnn / 100 % 100, cudnn % 100)},
          {"libpng", png_get_libpng_ver(nullptr)},
          {"libarchive", std::string(archive_version_string()).substr(std::string("libarchive ").size())},
          {"NLopt", nlopt_text()},
          {"NCCL", fmt::format("{}.{}.{}", nccl / 10000, nccl / 100 % 100, nccl % 100)}};
}

std::string version_text() {
  std::string text = fmt::format("invaria {} ({}{}, {}, {})", build::kVersion, build::kCommit,
                                 build::kDirty ? ", with changes" : "", build::kCompiler, build::kBuildType);
  for (const auto& [name, version] : library_versions())
    text += fmt::format("\n{} {}", std::string(name), std::string(version.as_string()));
  return text;
}

}  // namespace invaria::app
