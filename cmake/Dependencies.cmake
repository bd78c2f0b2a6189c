# Every library that Invaria uses, each found once.
find_package(Threads REQUIRED)
find_package(MPI REQUIRED COMPONENTS C)
find_package(HDF5 REQUIRED COMPONENTS C HL)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(LibArchive REQUIRED)
find_package(PNG REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_path(NLOPT_INCLUDE nlopt.h REQUIRED)
find_library(NLOPT_LIBRARY nlopt REQUIRED)
find_path(MATIO_INCLUDE matio.h REQUIRED)
find_library(MATIO_LIBRARY matio REQUIRED)
find_path(SNDFILE_INCLUDE sndfile.h REQUIRED)
find_library(SNDFILE_LIBRARY sndfile REQUIRED)
find_path(SOXR_INCLUDE soxr.h REQUIRED)
find_library(SOXR_LIBRARY soxr REQUIRED)
# CMake 3.25's FindCUDAToolkit sets a property on this target, which CUDA 13 no longer has.
if(CMAKE_VERSION VERSION_LESS 3.26)
  add_library(CUDA::nvToolsExt INTERFACE IMPORTED)
endif()
find_package(CUDAToolkit 13.0 REQUIRED)
find_package(Torch 2.11 REQUIRED)

find_path(TURBOJPEG_INCLUDE turbojpeg.h REQUIRED)
find_library(TURBOJPEG_LIBRARY turbojpeg REQUIRED)
find_path(BOOST_JSON_INCLUDE boost/json/src.hpp
  HINTS "${INVARIA_SITE_PACKAGES}/boost_headers/include" "${INVARIA_SITE_PACKAGES}/boost_headers" REQUIRED)
find_path(CUDNN_INCLUDE cudnn_version.h
  HINTS "${INVARIA_SITE_PACKAGES}/nvidia/cudnn/include" ${CUDAToolkit_INCLUDE_DIRS} REQUIRED)
find_library(CUDNN_LIBRARY cudnn
  HINTS "${INVARIA_SITE_PACKAGES}/nvidia/cudnn/lib" "${CUDAToolkit_LIBRARY_DIR}" REQUIRED)
find_path(NCCL_INCLUDE nccl.h
  HINTS "${INVARIA_SITE_PACKAGES}/nvidia/nccl/include" ${CUDAToolkit_INCLUDE_DIRS} REQUIRED)
find_library(NCCL_LIBRARY nccl
  HINTS "${INVARIA_SITE_PACKAGES}/nvidia/nccl/lib" "${CUDAToolkit_LIBRARY_DIR}" REQUIRED)

# Headers of others are not held to our warnings.
function(invaria_import name include library)
  add_library(${name} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${name} SYSTEM INTERFACE "${include}")
  if(library)
    target_link_libraries(${name} INTERFACE "${library}")
  endif()
endfunction()
invaria_import(invaria::turbojpeg "${TURBOJPEG_INCLUDE}" "${TURBOJPEG_LIBRARY}")
invaria_import(invaria::nlopt "${NLOPT_INCLUDE}" "${NLOPT_LIBRARY}")
invaria_import(invaria::sndfile "${SNDFILE_INCLUDE}" "${SNDFILE_LIBRARY}")
invaria_import(invaria::soxr "${SOXR_INCLUDE}" "${SOXR_LIBRARY}")
invaria_import(invaria::matio "${MATIO_INCLUDE}" "${MATIO_LIBRARY}")
invaria_import(invaria::cudnn "${CUDNN_INCLUDE}" "${CUDNN_LIBRARY}")
invaria_import(invaria::nccl "${NCCL_INCLUDE}" "${NCCL_LIBRARY}")
invaria_import(invaria::hdf5 "${HDF5_C_INCLUDE_DIRS}" "${HDF5_C_HL_LIBRARIES};${HDF5_C_LIBRARIES}")
target_compile_definitions(invaria::hdf5 INTERFACE ${HDF5_C_DEFINITIONS})
invaria_import(invaria::torch "${TORCH_INCLUDE_DIRS}" "${TORCH_LIBRARIES}")

# Boost.JSON is compiled once, from its headers.
add_library(boost_json STATIC "${CMAKE_CURRENT_LIST_DIR}/boost_json.cpp")
target_include_directories(boost_json SYSTEM PUBLIC "${BOOST_JSON_INCLUDE}")

# The runtime of charts, as scripts/requirements pins it.
find_path(INVARIA_VEGA_DIR vega-5.21.0.js HINTS "${INVARIA_SITE_PACKAGES}/altair_viewer/scripts" REQUIRED)
find_file(INVARIA_VEGA_LICENCE LICENSE HINTS "${INVARIA_SITE_PACKAGES}/altair_viewer-0.4.0.dist-info" REQUIRED NO_DEFAULT_PATH)
