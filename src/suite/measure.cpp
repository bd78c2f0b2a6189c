#include "suite/measure.hpp"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <exception>
#include <set>
#include <tuple>

#include "augment/operations.hpp"
#include "comm/agree.hpp"
#include "comm/job_counter.hpp"
#include "core/progress.hpp"
#include "downstream/features.hpp"
#include "downstream/learned_invariance.hpp"
#include "downstream/measure.hpp"
#include "downstream/task.hpp"
#include "io/files.hpp"
#include "io/segment_writer.hpp"
#include "io/segments.hpp"
#include "suite/encoder_store.hpp"
#include "train/checkpoint.hpp"

namespace invaria::suite {
namespace {

namespace json = config::json;

constexpr int64_t kMostEncoderBytes = int64_t{1} << 30;

using Point = std::tuple<std::string, int64_t, config::Invariance>;  // encoder, its seed, i

/// Everything that decides the values of a row but for encoder and i.
std::string settings_text(const Suite& suite, const data::DataSplit& pictures) {
  json::object settings = config::write(suite.measure).as_object();
  settings["split_hash"] = pictures.hash;
  settings["seed"] = suite.seed;
  return json::serialize(settings);
}

/// Measures on this rank.
class Measurer {
 public:
  Measurer(const Suite& suite, const Plan& plan, const data::DataSplit& pictures, const RunContext& context)
      : suite_(suite),
        plan_(plan),
        pictures_(pictures),
        context_(context),
        settings_(settings_text(suite, pictures)),
        encoders_(plan, context.output, context.device, kMostEncoderBytes) {}

  io::Segment measure(const MeasureUnit& unit) {
    const train::EncoderPlan& plan = plan_.encoders[unit.encoder];
    const model::Encoder& encoder = encoders_.get(unit.encoder).encoder;
    const model::Generated generated = encoder.generate(unit.invariance);
    const augment::AugmentSettings& strengths = plan.settings.augment;
    const auto features_of = [&](const at::Tensor& images_BCHW) {
      return downstream::extract_features(encoder, generated, model::BatchNormPass::running(),
                                          augment::normalise(images_BCHW, strengths.mean, strengths.std));
    };
    const at::Tensor fitted_ND = downstream::extract_features(encoder, generated, model::BatchNormPass::running(),
                                                              pictures_to_fit(plan.settings));
    io::Segment rows;
    for (downstream::SimilarityCurve& curve : downstream::similarity_curves(
             features_of, plain_pictures(plan.settings), fitted_ND, suite_.measure, context_.stop_requested)) {
      rows.similarities.push_back({plan.name, plan.seed, unit.invariance, config::name_of(curve.transformation),
                                   config::name_of(curve.similarity), curve.directions, settings_,
                                   std::move(curve.strengths), std::move(curve.values)});
    }
    return rows;
  }

 private:
  /// What whitening is fitted on: the pictures that are measured, and as many more as there shall be.
  downstream::Pictures pictures_to_fit(const train::PretrainSettings& pretraining) const {
    const int64_t n = std::max(suite_.measure.whitening_images, suite_.measure.images);
    const auto indices = downstream::sample_pictures(pictures_, n, static_cast<uint64_t>(suite_.seed));
    return downstream::clean_views(pictures_, indices, pretraining.views());
  }

  /// The pictures as this encoder saw whole ones, in [0, 1].
  at::Tensor plain_pictures(const train::PretrainSettings& pretraining) const {
    augment::ViewSettings plain = pretraining.views();
    plain.pictures.mean = {0.0, 0.0, 0.0};
    plain.pictures.std = {1.0, 1.0, 1.0};
    const auto indices =
        downstream::sample_pictures(pictures_, suite_.measure.images, static_cast<uint64_t>(suite_.seed));
    return downstream::render_clean(pictures_, indices, plain);
  }

  const Suite& suite_;
  const Plan& plan_;
  const data::DataSplit& pictures_;
  const RunContext& context_;
  std::string settings_;
  EncoderStore encoders_;
};

/// What is not measured yet of the encoders that there are.
std::vector<MeasureUnit> open_units(const Plan& plan, const Suite& suite, const std::string& settings,
                                    const std::filesystem::path& output, const io::Segment& found) {
  std::set<Point> measured;
  for (const io::SimilarityRecord& row : io::of_last_measuring(found.similarities)) {
    if (row.settings == settings) measured.emplace(row.encoder, row.encoder_seed, row.invariance);
  }
  std::vector<MeasureUnit> open = measure_units(plan, suite.measure.along_i);
  std::erase_if(open, [&](const MeasureUnit& unit) {
    const train::EncoderPlan& encoder = plan.encoders[unit.encoder];
    return measured.contains({encoder.name, encoder.seed, unit.invariance}) ||
           !train::CheckpointFolder(output, encoder.key()).has_encoder();
  });
  return open;
}

}  // namespace

std::vector<MeasureUnit> measure_units(const Plan& plan, int64_t along_i) {
  std::vector<MeasureUnit> units;
  for (size_t index = 0; index < plan.encoders.size(); ++index) {
    const train::EncoderPlan& encoder = plan.encoders[index];
    std::set<config::Invariance> points(encoder.corners.begin(), encoder.corners.end());
    for (int64_t axis = 0; encoder.is_conditioned() && axis < encoder.n_axes(); ++axis) {
      for (int64_t step = 0; step < along_i; ++step) {
        config::Invariance point(static_cast<size_t>(encoder.n_axes()), 1.0);
        point[static_cast<size_t>(axis)] = static_cast<double>(step) / static_cast<double>(along_i - 1);
        points.insert(point);
      }
    }
    for (const config::Invariance& point : points) units.push_back({index, point});
  }
  return units;
}

RunEnd measure(const Suite& suite, const Plan& plan, const Datasets& datasets, const RunContext& context) {
  const comm::Communicator& comm = context.comm;
  const std::filesystem::path segments = context.output / "segments";
  const data::DataSplit& pictures = datasets.at(suite.measure.data).split(suite.measure.split);
  std::vector<MeasureUnit> open;
  int64_t number = 0;
  comm::on_root(comm, [&] {
    io::make_directories(segments);
    io::remove_stale_temporaries(segments);
    io::tidy_segments(segments);
  });
  comm::together(comm, [&] {
    open = open_units(plan, suite, settings_text(suite, pictures), context.output, io::read_segments(segments));
    number = io::next_segment_number(segments);
  });
  comm.barrier();  // everybody has read before anybody writes

  Measurer measurer(suite, plan, pictures, context);
  io::SegmentWriter writer(segments, comm.rank(), number);
  bool stopped = false;
  std::exception_ptr failure;
  {
    comm::JobCounter counter(comm);
    Progress progress = comm.is_root() && !open.empty()
                            ? Progress("measure", static_cast<int64_t>(open.size()), "encoders at an i")
                            : Progress::quiet();
    try {
      for (int64_t next = counter.claim(); next < static_cast<int64_t>(open.size()); next = counter.claim()) {
        progress.update(next);
        writer.keep(measurer.measure(open[static_cast<size_t>(next)]));
        writer.flush();
      }
    } catch (const downstream::StoppedError&) {
      stopped = true;
    } catch (...) {
      failure = std::current_exception();
    }
  }
  comm::together(comm, [&] {
    if (failure) std::rethrow_exception(failure);
  });
  return comm.any(stopped) ? RunEnd::kStopped : RunEnd::kFinished;
}

}  // namespace invaria::suite
