#include "suite/unit_reader.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "data/load.hpp"
#include "downstream/features.hpp"
#include "suite/clean_pictures.hpp"
#include "tests/suite/small_suite.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::suite;
using namespace invaria::suite::testing;

namespace {

/// A plan on made pictures, and an encoder as it is drawn.
struct Fixture {
  explicit Fixture(const std::vector<std::string>& assignments) : suite(small_suite(assignments)) {
    plan = make_plan(suite);
    for (const data::DatasetSettings& settings : suite.data)
      datasets.emplace(settings.name, data::load_dataset(small_manifests().at(settings.name), settings, {{}, 2, {}},
                                                         NodeMemory::private_memory()));
  }

  const Unit& unit_of(const std::string& task) const {
    const auto at = std::find_if(plan.units.begin(), plan.units.end(), [&](const Unit& unit) {
      return unit.kind == UnitKind::kFixed && unit.encoder == 0 && suite.tasks[unit.task].name == task;
    });
    REQUIRE(at != plan.units.end());
    return *at;
  }

  LoadedEncoder encoder() const {
    const train::EncoderPlan& first = plan.encoders[0];
    return {model::Encoder(first.settings.model, 2, 0, first.view_shape()), "", 0, 0, {}};
  }

  Suite suite;
  Plan plan;
  Datasets datasets;
};

int64_t n_finite_rows(const at::Tensor& features_BD) {
  return features_BD.isfinite().all(1).sum().item<int64_t>();
}

}  // namespace

TEST_CASE("what validation looks at is read first, the test set where a row is judged, each stretch once", "[suite]") {
  const Fixture made({"downstream.bn_statistics=running"});
  for (const char* name : {"shapes-4", "known-10"}) {
    CAPTURE(name);
    const Unit& unit = made.unit_of(name);
    LoadedEncoder encoder = made.encoder();
    UnitReader reader(made.suite, made.plan, made.datasets);
    reader.begin(unit);
    const int64_t pool = reader.task(0).pool.size(), test = reader.task(0).test.size();
    const config::Invariance i{1.0, 0.0};
    const Read read = reader.read_at(0, encoder, i);
    CHECK(reader.encoder_passes() == pool - test);
    CHECK(n_finite_rows(read.features_BD) == pool - test);
    CHECK(read.features_BD.index_select(0, reader.task(0).test.rows_B).isnan().all().item<bool>());
    CHECK(std::isfinite(reader.validated_of(0, read).value));

    const at::Tensor all = reader.with_test(0, encoder, read);
    CHECK(reader.encoder_passes() == pool);
    const at::Tensor plain = downstream::extract_features(encoder.encoder, encoder.encoder.generate(i),
                                                          model::BatchNormPass::running(), reader.task(0).pool);
    CHECK(at::allclose(all, plain, 1e-5, 1e-6));
    reader.with_test(0, encoder, reader.read_at(0, encoder, i));
    CHECK(reader.encoder_passes() == pool);
    if (made.suite.tasks[unit.task].kind == downstream::TaskKind::kKnown) continue;  // each repeat has its own pool
    reader.with_test(1, encoder, reader.read_at(1, encoder, i));                     // another cut of the same pool
    CHECK(reader.encoder_passes() == pool);
  }
}

TEST_CASE("what could not be read is read again where it is asked for again", "[suite]") {
  const Fixture made({"downstream.bn_statistics=running"});
  const Unit& unit = made.unit_of("shapes-4");
  UnitReader reader(made.suite, made.plan, made.datasets);
  reader.begin(unit);
  const train::EncoderPlan& first = made.plan.encoders[0];
  LoadedEncoder broken{model::Encoder(first.settings.model, 3, 0, first.view_shape()), "", 0, 0, {}};  // of three axes
  const config::Invariance i{1.0, 0.0};
  CHECK_THROWS_AS(reader.read_at(0, broken, i), PreconditionError);
  CHECK(reader.encoder_passes() == 0);
  LoadedEncoder encoder = made.encoder();
  const Read read = reader.read_at(1, encoder, i);
  CHECK(n_finite_rows(reader.with_test(1, encoder, read)) == reader.task(1).pool.size());
}

TEST_CASE("of two kinds of statistics the worse on validation never reads the test set", "[suite]") {
  const Fixture made({"downstream.bn_statistics=validated"});
  const Unit& unit = made.unit_of("shapes-4");
  LoadedEncoder encoder = made.encoder();
  UnitReader reader(made.suite, made.plan, made.datasets);
  reader.begin(unit);
  const int64_t pool = reader.task(0).pool.size(), test = reader.task(0).test.size(), clean = 32;
  const Read read = reader.read_at(0, encoder, unit.invariance);
  CHECK(reader.encoder_passes() == 2 * (pool - test) + clean);
  CHECK(reader.images_to_validate(0) == 2 * (pool - test) + clean);
  CHECK(n_finite_rows(reader.with_test(0, encoder, read)) == pool);
  CHECK(reader.encoder_passes() == 2 * (pool - test) + clean + test);
}

TEST_CASE("a few-shot task with validation classes looks at nothing else to validate", "[suite]") {
  downstream::TaskData data;
  data.train.labels_B = data.validation.labels_B = data.validation_classes.labels_B = at::zeros({1}, at::kLong);
  downstream::TaskSettings settings;
  const downstream::DownstreamSettings downstream;
  const Judged task{settings, data, downstream, 0, 0};
  CHECK(samples_to_validate(task) == std::vector<const downstream::Samples*>{&data.train, &data.validation});
  settings.kind = downstream::TaskKind::kFewShot;
  CHECK(samples_to_validate(task) == std::vector<const downstream::Samples*>{&data.validation_classes});
}
