# What this build is, for --version and the results: written anew at every build, touched only when it changes.
# As a script: cmake -DOUT=... -DSOURCE=... -DVERSION=... -P Version.cmake
cmake_minimum_required(VERSION 3.25)
if(CMAKE_SCRIPT_MODE_FILE)
  execute_process(COMMAND git -C "${SOURCE}" rev-parse HEAD OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  execute_process(COMMAND git -C "${SOURCE}" status --porcelain --untracked-files=no OUTPUT_VARIABLE changes ERROR_QUIET)
  # Sources are taken as they lie there.
  execute_process(COMMAND git -C "${SOURCE}" ls-files --others --exclude-standard -- src cmake OUTPUT_VARIABLE added ERROR_QUIET)
  string(APPEND changes "${added}")
  if(commit STREQUAL "")
    set(commit "unknown")
  endif()
  if(changes STREQUAL "")
    set(dirty false)
  else()
    set(dirty true)
  endif()
  file(CONFIGURE OUTPUT "${OUT}" CONTENT "#pragma once
namespace invaria::build {
inline constexpr const char* kVersion = \"@VERSION@\";
inline constexpr const char* kCommit = \"@commit@\";
inline constexpr bool kDirty = @dirty@;
inline constexpr const char* kCompiler = \"@COMPILER@\";
inline constexpr const char* kBuildType = \"@BUILD_TYPE@\";
inline constexpr const char* kFlags = \"@FLAGS@\";
}  // namespace invaria::build
" @ONLY)
  return()
endif()

string(TOUPPER "${CMAKE_BUILD_TYPE}" invaria_build_type)
string(STRIP "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${invaria_build_type}}" invaria_flags)
add_custom_target(invaria_version
  COMMAND ${CMAKE_COMMAND} "-DOUT=${PROJECT_BINARY_DIR}/generated/build_info.hpp" "-DSOURCE=${PROJECT_SOURCE_DIR}"
    "-DVERSION=${PROJECT_VERSION}" "-DCOMPILER=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}" "-DBUILD_TYPE=${CMAKE_BUILD_TYPE}"
    "-DFLAGS=${invaria_flags}"
    -P "${CMAKE_CURRENT_LIST_FILE}"
  BYPRODUCTS "${PROJECT_BINARY_DIR}/generated/build_info.hpp")
