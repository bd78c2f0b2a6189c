#include <ATen/ATen.h>

#include <set>

#include "bench/image_stages.hpp"
#include "bench/readout_stages.hpp"
#include "bench/scratch.hpp"
#include "bench/sound_stages.hpp"
#include "bench/training_stages.hpp"
#include "tests/support/catch.hpp"

using namespace invaria::bench;

TEST_CASE("every stage passes its own check, and a check fails what is a little off", "[bench]") {
  const Scratch scratch;
  std::vector<Stage> stages;
  for (const std::vector<Stage>& of_kind : {image_stages(scratch.path()), sound_stages(scratch.path()),
                                            training_stages(scratch.path()), readout_stages(scratch.path())})
    stages.insert(stages.end(), of_kind.begin(), of_kind.end());
  std::set<std::string> names;
  for (const Stage& stage : stages) {
    INFO(stage.name);
    CHECK(names.insert(stage.name).second);
    CHECK(stage.work.flops + stage.work.bytes > 0.0);
    if (stage.work.flops > 1e11 || stage.work.bytes > 2e9) continue;  // minutes or gigabytes
    const at::Tensor made = stacked(stage.run());
    CHECK_NOTHROW(stage.check(made));
    CHECK_THROWS_AS(stage.check(made.narrow(0, 0, made.size(0) - 1)), WrongResult);
    // Half as loud, or turned end to end where loudness is not what is asked for.
    const bool is_pitch = stage.name == "sound/pitch-shift" || stage.name == "sound/time-stretch";
    const at::Tensor wrong =
        is_pitch ? made.index_select(0, at::arange(made.size(0) - 1, -1, -1, at::kLong)) : made * 0.5;
    CHECK_THROWS_AS(stage.check(wrong), WrongResult);
  }
}

TEST_CASE("stages on CUDA pass the checks of the CPU's", "[bench][cuda]") {
  if (!at::hasCUDA()) INVARIA_SKIP("no GPU on this machine");
  const Scratch scratch;
  const c10::Device device(c10::kCUDA, 0);
  for (const std::vector<Stage>& of_kind :
       {image_stages(scratch.path(), device), training_stages(scratch.path(), device)}) {
    for (const Stage& stage : of_kind) {
      INFO(stage.name);
      if (stage.name == "train/amortisation-resnet50") continue;  // 12 GB of the host's memory first
      CHECK_NOTHROW(stage.check(stacked(stage.run()).cpu()));
    }
  }
}
