#include "report/validity.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "config/invariance.hpp"
#include "report/arms.hpp"

namespace invaria::report {

namespace {

/// Reasons by kind, in the order in which the kinds first came up.
class Reasons {
 public:
  void add(const std::string& kind, const std::string& example) {
    const auto known = std::find_if(kinds_.begin(), kinds_.end(), [&](const Kind& k) { return k.name == kind; });
    if (known == kinds_.end()) {
      kinds_.push_back({kind, example, 1});
    } else {
      ++known->count;
    }
  }

  std::string text() const {
    std::vector<std::string> parts;
    for (const Kind& kind : kinds_) {
      parts.push_back(fmt::format("{}: {}", kind.name, kind.example));
      if (kind.count > 1) parts.back() += fmt::format(" (and {} more)", kind.count - 1);
    }
    return fmt::format("{}", fmt::join(parts, "; "));
  }

 private:
  struct Kind {
    std::string name;
    std::string example;
    int64_t count;
  };
  std::vector<Kind> kinds_;
};

std::string place(const io::JobRecord& job) {
  return fmt::format("{} on {}, repeat {} ({}, encoder seed {})", job.arm, job.task, job.repeat, job.encoder,
                     job.encoder_seed);
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::string with_error(const std::string& what, const std::string& error) {
  return error.empty() ? what : fmt::format("{}: {}", what, first_line(error));
}

/// A hash is told apart by its first digits.
std::string brief(const std::string& hash) {
  return hash.empty() ? "none" : hash.substr(0, 12);
}

void check_status(const io::Segment& content, Reasons& reasons) {
  for (const io::EncoderRecord& encoder : content.encoders) {
    if (encoder.status == "finished") continue;
    const std::string what = fmt::format("{}, encoder seed {}", encoder.name, encoder.encoder_seed);
    reasons.add("encoder " + encoder.status, with_error(what, encoder.error));
  }
  for (const io::JobRecord& job : content.jobs) {
    if (job.status != "finished") reasons.add("job " + job.status, with_error(place(job), job.error));
  }
}

void check_encoder_hashes(const io::Segment& content, Reasons& reasons) {
  std::map<std::pair<std::string, int64_t>, const io::JobRecord*> first;
  for (const io::JobRecord& job : content.jobs) {
    if (job.status != "finished") continue;
    const std::string &before = job.encoder_hash_before, &after = job.encoder_hash_after;
    const io::JobRecord& other = *first.try_emplace({job.encoder, job.encoder_seed}, &job).first->second;
    if (before.empty() || after.empty()) {
      reasons.add("encoder hash not recorded", place(job));
    } else if (before != after) {
      reasons.add("encoder hash changed",
                  fmt::format("{}: {} before, {} after", place(job), brief(before), brief(after)));
    } else if (before != other.encoder_hash_before) {
      reasons.add("encoder differs between jobs",
                  fmt::format("{} has {}, {} has {}", place(other), brief(other.encoder_hash_before), place(job),
                              brief(before)));
    }
  }
}

void check_split_hashes(const io::Segment& content, Reasons& reasons) {
  std::map<std::pair<std::string, int64_t>, std::string> hashes;
  const auto check = [&](const std::string& task, int64_t repeat, const std::string& hash) {
    const std::string& known = hashes.try_emplace({task, repeat}, hash).first->second;
    if (known != hash) {
      reasons.add("split hash differs",
                  fmt::format("{}, repeat {}: {} and {}", task, repeat, brief(known), brief(hash)));
    }
  };
  for (const io::TaskRecord& task : content.tasks) check(task.task, task.repeat, task.split_hash);
  for (const io::JobRecord& job : content.jobs) {
    if (job.status == "finished") check(job.task, job.repeat, job.split_hash);
  }
}

/// Points without a loss of their own: the start of learned-joint; the end of learned-projected, and what validation
/// chose after it.
void check_trajectory(const io::JobRecord& job, Reasons& reasons) {
  const io::Trajectory& trajectory = job.trajectory;
  const size_t n_chosen = !trajectory.validation.empty() && std::isfinite(trajectory.validation.back()) ? 1 : 0;
  for (size_t point = 0; point < trajectory.loss.size(); ++point) {
    const double loss = trajectory.loss[point];
    const bool has_loss =
        job.arm.starts_with("learned-joint") ? point > 0 : point + 1 + n_chosen < trajectory.loss.size();
    const std::vector<double>& at = trajectory.invariance[point];
    const bool is_somewhere = std::all_of(at.begin(), at.end(), [](double value) { return std::isfinite(value); });
    if (is_somewhere && (std::isfinite(loss) || (!has_loss && std::isnan(loss)))) continue;
    reasons.add("loss not finite",
                fmt::format("{}: {} at point {} of {}", place(job), loss, point, config::to_string(at)));
    break;
  }
}

void check_finite(const io::Segment& content, Reasons& reasons) {
  for (const io::EncoderRecord& encoder : content.encoders) {
    if (!encoder.pretraining.contains("loss")) continue;
    const std::vector<double>& loss = encoder.pretraining.doubles("loss");
    const auto bad = std::find_if(loss.begin(), loss.end(), [](double value) { return !std::isfinite(value); });
    if (bad == loss.end()) continue;
    reasons.add("loss not finite", fmt::format("pretraining of {}, encoder seed {}: {} in row {}", encoder.name,
                                               encoder.encoder_seed, *bad, bad - loss.begin()));
  }
  for (const io::JobRecord& job : content.jobs) {
    if (job.status != "finished") continue;
    if (!std::isfinite(job.value)) {
      reasons.add("value not finite", fmt::format("{}: {} is {}", place(job), job.metric, job.value));
    }
    const bool may_lack_validation = job.protocol == "paper" && std::isnan(job.validation_value);
    if (!std::isfinite(job.validation_value) && !may_lack_validation) {
      reasons.add("validation value not finite",
                  fmt::format("{}: {} is {}", place(job), job.metric, job.validation_value));
    }
    check_trajectory(job, reasons);
  }
}

void check_repeats(const io::Segment& content, const MergeExpectation& expected, Reasons& reasons) {
  std::map<std::tuple<std::string, int64_t, std::string, std::string>, std::set<int64_t>> finished;
  for (const io::JobRecord& job : content.jobs) {
    if (is_derived(job.arm)) continue;  // as many as the grid has
    auto& repeats = finished[{job.encoder, job.encoder_seed, job.task, job.arm}];
    if (job.status == "finished") repeats.insert(job.repeat);
  }
  for (const auto& [key, repeats] : finished) {
    const auto& [encoder, seed, task, arm] = key;
    const auto own = expected.repeats_of_arm.find(arm);
    const int64_t wanted = own == expected.repeats_of_arm.end() ? expected.repeats : own->second;
    const auto found = static_cast<int64_t>(repeats.size());
    if (found < wanted) {
      reasons.add("too few repeats", fmt::format("{} on {} ({}, encoder seed {}) finished {}, expected {}", arm, task,
                                                 encoder, seed, found, wanted));
    }
  }
}

void check_missing(const io::Segment& content, const MergeExpectation& expected, Reasons& reasons) {
  std::set<std::string> there;
  for (const io::JobRecord& job : content.jobs) there.insert(job.job_id);
  // A failed job is there and has been named already.
  for (const std::string& id : expected.job_ids) {
    if (!there.contains(id)) reasons.add("job missing", brief(id));
  }
}

void check_sensitivity(const io::Segment& content, const MergeExpectation& expected, Reasons& reasons) {
  using Key = std::tuple<std::string, int64_t, std::string, std::string>;
  const auto key = [](const io::SensitivityRecord& row) {
    return Key{row.encoder, row.encoder_seed, row.corner, row.transformation};
  };
  const auto place = [](const io::SensitivityRecord& row) {
    return fmt::format("{} of {}, encoder seed {}, at {}", row.transformation, row.encoder, row.encoder_seed,
                       row.corner);
  };
  std::set<Key> there;
  for (const io::SensitivityRecord& row : content.sensitivity) {
    there.insert(key(row));
    if (!std::isfinite(row.value)) reasons.add("sensitivity not finite", place(row));
  }
  for (const io::SensitivityRecord& row : expected.sensitivity) {
    if (!there.contains(key(row))) reasons.add("sensitivity missing (log.jsonl says why)", place(row));
  }
}

}  // namespace

std::string why_invalid(const io::Segment& content, const MergeExpectation& expected) {
  Reasons reasons;
  check_status(content, reasons);
  check_encoder_hashes(content, reasons);
  check_split_hashes(content, reasons);
  check_finite(content, reasons);
  check_repeats(content, expected, reasons);
  check_missing(content, expected, reasons);
  check_sensitivity(content, expected, reasons);
  if (content.jobs.empty() && content.encoders.empty()) reasons.add("nothing finished", "no job, no encoder");
  return reasons.text();
}

}  // namespace invaria::report
