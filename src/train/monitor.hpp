#pragma once
/// @file
/// How well the features serve a labelled, held-out task while the encoder trains: at each pretraining corner, a
/// weighted nearest-neighbour vote and a linear readout that learns along. No gradient reaches the encoder, and
/// monitoring changes no number of its training.
///
/// Of each class, every other picture is in the bank, which votes and trains the readout; the others are judged.
///
/// Shape legend: M pictures of the bank, J judged, D features, G classes.

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <vector>

#include "comm/communicator.hpp"
#include "data/dataset.hpp"
#include "io/table.hpp"
#include "model/encoder.hpp"
#include "train/optimizer.hpp"
#include "train/pretrain_settings.hpp"

namespace invaria::train {

inline constexpr int64_t kNeighbours = 200;            ///< fewer where the bank is smaller
inline constexpr double kNeighbourTemperature = 0.07;  ///< both as in arXiv:1805.01978, Sec. 3.4

/// The share of judged pictures whose class has the largest weight exp(cosine / 0.07) among the 200 nearest pictures of
/// the bank.
/// @param bank_MD, judged_JD  features, not normalised
/// @param bank_labels_M, judged_labels_J  int64 in [0, n_classes)
double nearest_neighbour_top1(const at::Tensor& bank_MD, const at::Tensor& bank_labels_M, const at::Tensor& judged_JD,
                              const at::Tensor& judged_labels_J, int64_t n_classes);

/// A table without rows for Monitor::observe() to fill.
io::Table empty_monitor_table();

class Monitor {
 public:
  /// References must outlive it. @throws ConfigError if no class that is watched has two pictures, or there are no
  /// labels
  Monitor(const EncoderPlan& plan, const data::DataSplit& pictures, const comm::Communicator& comm, c10::Device device);

  /// Judge the encoder at every corner, a row each. Collective; the rows are root's, other ranks add none.
  void observe(const model::Encoder& encoder, int64_t step, io::Table& table);

  /// The readouts and their optimiser's moments; root's count.
  model::StateDict state() const;
  /// @throws ConfigError naming missing, unknown or misshapen entries
  void load_state(const model::StateDict& state);

 private:
  at::Tensor features(const model::Encoder& encoder, const config::Invariance& invariance) const;
  double readout_top1(size_t corner, const at::Tensor& bank_MD, const at::Tensor& judged_JD);

  const EncoderPlan& plan_;
  const data::DataSplit& pictures_;
  std::shared_ptr<const augment::Views> views_;
  const comm::Communicator& comm_;
  c10::Device device_;
  int64_t n_classes_ = 0;
  std::vector<int64_t> watched_;  ///< indices of pictures: the bank's, then the judged ones
  int64_t n_bank_ = 0;
  at::Tensor labels_;                                    ///< of watched_
  std::vector<std::vector<model::Parameter>> readouts_;  ///< [corner] weight [G, D], bias [G]; on the CPU
  Optimizer optimizer_;
};

}  // namespace invaria::train
