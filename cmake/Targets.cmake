# How each library and test of Invaria is built: warnings, sanitizers, the shared precompiled header.
add_library(invaria_options INTERFACE)
target_include_directories(invaria_options INTERFACE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_BINARY_DIR}/generated")
# LibTorch ships the headers of a newer fmt than the system's library: the system's must be found first, or nothing links.
get_target_property(fmt_include fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/system")
file(CREATE_LINK "${fmt_include}/fmt" "${PROJECT_BINARY_DIR}/system/fmt" SYMBOLIC)
target_include_directories(invaria_options SYSTEM INTERFACE "${PROJECT_BINARY_DIR}/system")
target_compile_options(invaria_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Werror>
  $<$<COMPILE_LANGUAGE:C>:-Wall;-Wextra;-Wpedantic;-Werror>
  $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings;-Xcompiler=-Wall,-Wextra,-Werror>)
set(INVARIA_SANITIZE "" CACHE STRING "sanitizers, comma-separated, as -fsanitize takes them")
if(INVARIA_SANITIZE)
  # Under AddressSanitizer g++ 12 takes what std::regex holds for uninitialised.
  target_compile_options(invaria_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX,C>:-fsanitize=${INVARIA_SANITIZE};-fno-omit-frame-pointer>
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>)
  target_link_options(invaria_options INTERFACE -fsanitize=${INVARIA_SANITIZE})
endif()
option(INVARIA_FUZZ "fuzz targets with libFuzzer, which needs clang; of the rest only what they link can be built" OFF)
if(INVARIA_FUZZ)
  # clang warns of other things than the compilers that everything is built with.
  target_compile_options(invaria_options INTERFACE $<$<COMPILE_LANGUAGE:CXX,C>:-fsanitize=fuzzer-no-link;-Wno-error>)
endif()

# at::parallel_for is a template: compiled without OpenMP it silently runs on one thread. The OpenMP runtime is LibTorch's own where the
# wheel brings one: two in a process would be two thread pools.
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_file(INVARIA_TORCH_OPENMP libgomp.so.1 PATHS "${INVARIA_SITE_PACKAGES}/torch/lib" NO_DEFAULT_PATH)
target_compile_options(invaria::torch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${OpenMP_CXX_FLAGS}>)
target_link_libraries(invaria::torch INTERFACE "$<IF:$<BOOL:${INVARIA_TORCH_OPENMP}>,${INVARIA_TORCH_OPENMP},OpenMP::OpenMP_CXX>")

if(INVARIA_FUZZ)
  # Newer clang mangles constrained templates unlike the compiler that LibTorch was built with, and calls a runtime of its own.
  target_compile_options(invaria::torch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fclang-abi-compat=17>)
  target_link_libraries(invaria::torch INTERFACE OpenMP::OpenMP_CXX)
endif()

# LibTorch's headers take ten seconds a file: they are compiled once. Readers and parsers (core, config, io) do without.
add_library(invaria_torch_pch STATIC "${PROJECT_SOURCE_DIR}/cmake/torch_pch.cpp")
target_precompile_headers(invaria_torch_pch PRIVATE <ATen/ATen.h> <torch/types.h> <torch/autograd.h>)
target_link_libraries(invaria_torch_pch PUBLIC invaria_options invaria::torch)

# invaria_room(NAME [TORCH] DEPENDS rooms... LIBRARIES libraries...)
# One static library per folder of src/: the linker then holds the layers to their arrows, and a reader of config or io never waits
# for LibTorch.
function(invaria_room name)
  cmake_parse_arguments(room "TORCH" "" "DEPENDS;LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp" "${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cu")
  list(TRANSFORM room_DEPENDS PREPEND invaria_)
  if(NOT sources)
    add_library(invaria_${name} INTERFACE)
    return()
  endif()
  add_library(invaria_${name} STATIC ${sources})
  target_link_libraries(invaria_${name} PUBLIC invaria_options ${room_DEPENDS} ${room_LIBRARIES})
  if(room_TORCH)
    target_link_libraries(invaria_${name} PUBLIC invaria::torch)
    target_precompile_headers(invaria_${name} REUSE_FROM invaria_torch_pch)
  endif()
endfunction()
