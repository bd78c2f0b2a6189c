#include "app/host.hpp"

#include "app/results.hpp"
#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::app;

TEST_CASE("a world that is not what Slurm says is refused, with the mend", "[app]") {
  CHECK(why_another_world(0, 0, 1).empty());  // no Slurm
  CHECK(why_another_world(4, 2, 4).empty());
  CHECK(why_another_world(0, 1, 1).empty());
  CHECK(why_another_world(0, 2, 4).empty());  // of several ranks somebody has thought
  CHECK_THAT(why_another_world(4, 2, 1), Catch::Contains("4 tasks") && Catch::Contains("srun --mpi=pmix"));
  CHECK_THAT(why_another_world(0, 2, 1), Catch::Contains("2 nodes") && Catch::Contains("srun --mpi=pmix"));
}

TEST_CASE("wall-clock time is that of each stage's longest rank, also where shares ran side by side", "[app]") {
  CHECK(wall_seconds({}) == 0.0);
  CHECK(wall_seconds(
            {{"pretrain", 0, 10.0}, {"pretrain", 1, 9.0}, {"sweep", 0, 3.0}, {"sweep", 1, 3.5}, {"sweep", 2, 7.0}}) ==
        17.0);
}
