// Writes the files that Python opens: results.h5, empty.h5, a segment and a safetensors file, into the directory given.
#include <cstdio>
#include <vector>

#include "io/safetensors.hpp"
#include "io/segments.hpp"
#include "tests/io/example_results.hpp"

int main(int argc, char* argv[]) {
  using namespace invaria::io;
  if (argc != 2) {
    std::fputs("usage: write_examples DIRECTORY\n", stderr);
    return 2;
  }
  const fs::path directory = argv[1];
  make_directories(directory);
  write_results(directory / "results.h5", example_results());
  Results empty;
  empty.axes = {"spatial", "appearance"};
  write_results(directory / "empty.h5", empty);
  fs::remove(directory / "0-1.h5");
  write_segment(directory, 0, 1, example_segment());

  const std::vector<float> weights{1.5F, -2.0F, 3.25F, 0.0F, 0.125F, 6.0F};
  const std::vector<int64_t> step{-7};
  const std::vector<uint8_t> flags{1, 2, 255};
  const std::vector<TensorView> tensors{{"flags", {3}, DType::kU8, std::as_bytes(std::span(flags))},
                                        {"layer.weight", {2, 3}, DType::kF32, std::as_bytes(std::span(weights))},
                                        {"step", {}, DType::kI64, std::as_bytes(std::span(step))}};
  write_safetensors(directory / "example.safetensors", tensors, {{"format", "pt"}});
  return 0;
}
