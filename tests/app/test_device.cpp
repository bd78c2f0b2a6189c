#include "app/device.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using invaria::app::why_no_gpus;

TEST_CASE("ranks compute on GPUs only if each has one of its own", "[app]") {
  CHECK(why_no_gpus({"a 00ff", "a 11ff", "b 00ee"}).empty());
  CHECK(why_no_gpus({"a 00ff", "b", "b 00ee"}) == "rank 1 on b sees none");
  CHECK(why_no_gpus({"a 00ff", "a 11ff", "a 00ff"}) ==
        "ranks 0 and 2 on a would share one; start as many ranks on a node as it has GPUs");
}
