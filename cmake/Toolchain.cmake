# Before project(): find the Python environment of scripts/setup, nvcc, ccache; choose flags that must precede the languages.
file(GLOB INVARIA_SITE_PACKAGES LIST_DIRECTORIES true "${INVARIA_DEPS}/python/lib/python3*/site-packages")
if(NOT EXISTS "${INVARIA_SITE_PACKAGES}/torch/share/cmake/Torch/TorchConfig.cmake")
  message(FATAL_ERROR "LibTorch is not under ${INVARIA_DEPS}/python. Run scripts/setup first.")
endif()
list(PREPEND CMAKE_PREFIX_PATH "${INVARIA_SITE_PACKAGES}/torch")

# nvcc: the environment's, or the one from PyPI (scripts/setup installs it where the machine's CUDA does not match), or the machine's.
if(NOT CMAKE_CUDA_COMPILER)
  find_program(INVARIA_NVCC nvcc
    HINTS "$ENV{CUDACXX}/.." "${INVARIA_SITE_PACKAGES}/nvidia/cu13/bin" /usr/local/cuda/bin)
  if(INVARIA_NVCC)
    set(CMAKE_CUDA_COMPILER "${INVARIA_NVCC}" CACHE FILEPATH "nvcc")
  endif()
endif()
if(EXISTS "${INVARIA_SITE_PACKAGES}/nvidia/cu13/bin/nvcc" AND CMAKE_CUDA_COMPILER MATCHES "site-packages")
  set(CUDAToolkit_ROOT "${INVARIA_SITE_PACKAGES}/nvidia/cu13" CACHE PATH "CUDA toolkit")
  set(CUDA_TOOLKIT_ROOT_DIR "${CUDAToolkit_ROOT}" CACHE PATH "CUDA toolkit, for LibTorch's find modules")
endif()

find_program(INVARIA_CCACHE ccache)
if(INVARIA_CCACHE)
  # pch_defines and time_macros: without them ccache refuses every file that uses a precompiled header.
  set(invaria_launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${INVARIA_CCACHE}")
  foreach(language C CXX CUDA)
    set(CMAKE_${language}_COMPILER_LAUNCHER ${invaria_launcher} CACHE STRING "compiler cache")
  endforeach()
endif()

set(CMAKE_C_STANDARD 11)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CUDA_STANDARD 17)  # CMake 3.25 knows no CUDA standard 20
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
set(CMAKE_CUDA_ARCHITECTURES 80 90 CACHE STRING "compute capabilities of our kernels")
set(TORCH_CUDA_ARCH_LIST "8.0;9.0" CACHE STRING "set before find_package(Torch): it would look for a card otherwise")
