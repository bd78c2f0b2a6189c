#include "train/monitor.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/errors.hpp"
#include "data/sampler.hpp"
#include "model/cost.hpp"
#include "model/state.hpp"
#include "objective/contrast.hpp"
#include "train/objective.hpp"

namespace invaria::train {
namespace {

constexpr int64_t kImagesAtOnce = 256;
constexpr int kReadoutSteps = 50;  ///< of the readout each time that the encoder is judged
constexpr double kReadoutRate = 0.01;
constexpr const char* kReadouts = "readouts/";
constexpr const char* kMoments = "moments/";

/// Which pictures are watched: of each class, in the split's order, one for the bank, the next to be judged, up to
/// `limit` of them; of more classes than have two then, those that come first.
struct Halves {
  std::vector<int64_t> bank, judged;
};

Halves cut_in_halves(const std::vector<int64_t>& labels, int64_t limit) {
  Halves halves;
  const std::set<int64_t> present(labels.begin(), labels.end());
  const int64_t per_class = std::max<int64_t>(2, limit / std::ssize(present));
  const int64_t n_watched = std::max<int64_t>(1, limit / per_class);
  const std::set<int64_t> watched(present.begin(),
                                  std::next(present.begin(), std::min(n_watched, std::ssize(present))));
  std::map<int64_t, int64_t> seen;
  for (size_t picture = 0; picture < labels.size(); ++picture) {
    const int64_t number = seen[labels[picture]]++;
    if (number >= per_class || !watched.contains(labels[picture])) continue;
    (number % 2 == 0 ? halves.bank : halves.judged).push_back(static_cast<int64_t>(picture));
  }
  return halves;
}

double share_of_hits(const at::Tensor& scores_JG, const at::Tensor& labels_J) {
  return scores_JG.argmax(1).eq(labels_J).to(at::kDouble).mean().item<double>();
}

}  // namespace

double nearest_neighbour_top1(const at::Tensor& bank_MD, const at::Tensor& bank_labels_M, const at::Tensor& judged_JD,
                              const at::Tensor& judged_labels_J, int64_t n_classes) {
  const at::NoGradGuard no_grad;
  const at::Tensor cosines_JM = at::mm(objective::unit_rows(judged_JD), objective::unit_rows(bank_MD).t());
  const auto [nearest_Jk, places_Jk] = cosines_JM.topk(std::min(kNeighbours, bank_MD.size(0)), 1);
  const at::Tensor votes_Jk = (nearest_Jk / kNeighbourTemperature).exp();
  const at::Tensor scores_JG = at::zeros({judged_JD.size(0), n_classes}, votes_Jk.options())
                                   .scatter_add_(1, bank_labels_M.index({places_Jk}), votes_Jk);
  return share_of_hits(scores_JG, judged_labels_J);
}

io::Table empty_monitor_table() {
  using Doubles = std::vector<double>;
  return io::Table({{"step", std::vector<int64_t>{}, "", "optimiser steps done"},
                    {"corner", std::vector<std::string>{}, "", "invariance judged at, bits in axis order"},
                    {"knn_top1", Doubles{}, "1", "held-out pictures that weighted nearest neighbours classify rightly"},
                    {"readout_top1", Doubles{}, "1", "the same of a linear readout that learns along"}});
}

Monitor::Monitor(const EncoderPlan& plan, const data::DataSplit& pictures, const comm::Communicator& comm,
                 c10::Device device)
    : plan_(plan),
      pictures_(pictures),
      views_(augment::make_views(plan.settings.views(), pictures.shape)),
      comm_(comm),
      device_(device),
      optimizer_({.algorithm = Algorithm::kAdamW, .weight_decay = 1e-4}) {
  const std::string where = fmt::format("encoder {}: pretraining.monitor: split {} of {}", plan.name,
                                        plan.settings.monitor.split, plan.settings.monitor.data);
  if (pictures.labels.empty()) throw_config("{} has no labels", where);
  n_classes_ = *std::max_element(pictures.labels.begin(), pictures.labels.end()) + 1;
  const Halves halves = cut_in_halves(pictures.labels, plan.settings.monitor.images);
  if (halves.judged.empty()) throw_config("{} has no class with two pictures among those watched", where);
  watched_ = halves.bank;
  watched_.insert(watched_.end(), halves.judged.begin(), halves.judged.end());
  n_bank_ = static_cast<int64_t>(halves.bank.size());
  labels_ = at::empty({static_cast<int64_t>(watched_.size())}, at::kLong);
  for (size_t index = 0; index < watched_.size(); ++index)
    labels_.data_ptr<int64_t>()[index] = pictures.labels[static_cast<size_t>(watched_[index])];
  const int64_t feature_dim = model::feature_dim(plan.settings.model);
  for (const config::Invariance& corner : plan.corners) {
    const std::string prefix = config::bits(corner) + ".";
    readouts_.push_back({{prefix + "weight", at::zeros({n_classes_, feature_dim}).requires_grad_(), true},
                         {prefix + "bias", at::zeros({n_classes_}).requires_grad_(), false}});
  }
}

/// Of all watched pictures, on the CPU; every rank sends its share through the encoder.
at::Tensor Monitor::features(const model::Encoder& encoder, const config::Invariance& invariance) const {
  const at::NoGradGuard no_grad;
  const model::Generated generated = encoder.generate(invariance);
  const data::Share share = data::local_share(static_cast<int64_t>(watched_.size()), comm_.rank(), comm_.size());
  std::vector<at::Tensor> parts{at::empty({0, encoder.feature_dim()})};
  for (int64_t first = share.first; first < share.first + share.count; first += kImagesAtOnce) {
    std::vector<int64_t> shown;
    for (int64_t index = first; index < std::min(first + kImagesAtOnce, share.first + share.count); ++index)
      shown.push_back(watched_[static_cast<size_t>(index)]);
    const data::HeldSamples held = pictures_.samples(shown, at::get_num_threads());
    const std::vector<augment::Parameters> plain(shown.size(), views_->plain());
    const at::Tensor images_BCHW = views_->render(held.bytes, plain);
    parts.push_back(encoder.forward(images_BCHW.to(device_), generated, model::BatchNormPass::running()).cpu());
  }
  return comm_.all_gather_rows(at::cat(parts));
}

/// The readout goes on learning from where it stood, on features centred and divided by one scalar.
double Monitor::readout_top1(size_t corner, const at::Tensor& bank_MD, const at::Tensor& judged_JD) {
  const at::Tensor mean_D = bank_MD.mean(0);
  const at::Tensor scale = (bank_MD - mean_D).square().mean().sqrt().clamp_min(1e-12);
  const at::Tensor inputs_MD = (bank_MD - mean_D) / scale;
  const at::Tensor bank_labels_M = labels_.narrow(0, 0, n_bank_);
  std::vector<model::Parameter>& readout = readouts_[corner];
  const std::vector<const model::Parameter*> trained{&readout[0], &readout[1]};
  for (int step = 0; step < kReadoutSteps; ++step) {
    for (const model::Parameter& parameter : readout) parameter.value.mutable_grad().reset();
    at::cross_entropy_loss(at::linear(inputs_MD, readout[0].value, readout[1].value), bank_labels_M).backward();
    optimizer_.step(kReadoutRate, trained, {});
  }
  const at::NoGradGuard no_grad;
  return share_of_hits(at::linear((judged_JD - mean_D) / scale, readout[0].value, readout[1].value),
                       labels_.narrow(0, n_bank_, judged_JD.size(0)));
}

void Monitor::observe(const model::Encoder& encoder, int64_t step, io::Table& table) {
  for (size_t corner = 0; corner < plan_.corners.size(); ++corner) {
    const at::Tensor features = this->features(encoder, plan_.corners[corner]);
    if (!comm_.is_root()) continue;
    const int64_t n_judged = features.size(0) - n_bank_;
    const at::Tensor bank_MD = features.narrow(0, 0, n_bank_), judged_JD = features.narrow(0, n_bank_, n_judged);
    const double nearest = nearest_neighbour_top1(bank_MD, labels_.narrow(0, 0, n_bank_), judged_JD,
                                                  labels_.narrow(0, n_bank_, n_judged), n_classes_);
    table.append({step, config::bits(plan_.corners[corner]), nearest, readout_top1(corner, bank_MD, judged_JD)});
  }
}

model::StateDict Monitor::state() const {
  model::StateDict state;
  for (const std::vector<model::Parameter>& readout : readouts_) {
    for (const model::Parameter& parameter : readout) state[kReadouts + parameter.name] = parameter.value.detach();
  }
  add_prefixed(state, kMoments, optimizer_.state());
  return state;
}

void Monitor::load_state(const model::StateDict& state) {
  model::StateDict readouts;
  for (const std::vector<model::Parameter>& readout : readouts_) {
    for (const model::Parameter& parameter : readout) readouts[parameter.name] = parameter.value.detach();
  }
  model::copy_state(take_prefixed(state, kReadouts), readouts, "the monitor's state does not fit");
  optimizer_.load_state(take_prefixed(state, kMoments));
}

}  // namespace invaria::train
