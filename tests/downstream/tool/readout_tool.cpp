// Fits readouts to features that another program wrote: JSON in, JSON out, for comparison with scikit-learn.
//   readout_tool IN.json OUT.json
// in: {train, validation, test: {features: [n][D], labels: [n] | targets: [n][T]}, n_classes, readout: settings,
// metric} out: {scale, centre, fits: [{l2, weight, bias, scores (of test)}], chosen: {l2, scores}}
#include <ATen/ATen.h>

#include <boost/json.hpp>
#include <fstream>
#include <iterator>

#include "config/setting.hpp"
#include "downstream/readout.hpp"
#include "io/files.hpp"

using namespace invaria;
using namespace invaria::downstream;
namespace json = config::json;

namespace {

at::Tensor matrix(const json::value& rows) {
  std::vector<at::Tensor> all;
  for (const json::value& row : rows.as_array())
    all.push_back(at::tensor(json::value_to<std::vector<double>>(row), at::kDouble));
  return at::stack(all);
}

json::array rows_of(const at::Tensor& matrix) {
  json::array rows;
  for (int64_t row = 0; row < matrix.size(0); ++row) {
    json::array cells;
    for (int64_t column = 0; column < matrix.size(1); ++column) cells.emplace_back(matrix[row][column].item<double>());
    rows.push_back(std::move(cells));
  }
  return rows;
}

LabelledFeatures part(const json::value& in, const char* name) {
  const json::object& given = in.at(name).as_object();
  LabelledFeatures made;
  made.features_BD = matrix(given.at("features"));
  made.n_classes = in.at("n_classes").to_number<int64_t>();
  if (made.n_classes > 0) {
    made.labels_B = at::tensor(json::value_to<std::vector<int64_t>>(given.at("labels")), at::kLong);
  } else {
    made.targets_BT = matrix(given.at("targets"));
  }
  return made;
}

}  // namespace

int main(int, char** argv) {
  const json::value in = config::parse_text(io::read_file(argv[1]), argv[1]);
  config::Problems problems;
  const auto settings = config::parse<ReadoutSettings>(in.at("readout"), "readout", problems);
  const auto metric = config::parse<Metric>(in.at("metric"), "metric", problems);
  problems.throw_if_any(argv[1]);
  const LabelledFeatures train = part(in, "train"), validation = part(in, "validation"), test = part(in, "test");

  json::object out;
  json::array fits;
  std::vector<double> penalties = settings.l2;
  std::sort(penalties.rbegin(), penalties.rend());
  Readout previous;
  for (size_t index = 0; index < penalties.size(); ++index) {
    previous = fit_readout(train, penalties[index], settings.max_passes, index > 0 ? &previous : nullptr);
    fits.push_back(json::object{{"l2", previous.l2},
                                {"weight", rows_of(previous.weight_DC)},
                                {"bias", rows_of(previous.bias_C.unsqueeze(0)).front()},
                                {"scores", rows_of(previous.predict(test.features_BD))}});
  }
  out["scale"] = previous.scale;
  out["centre"] = rows_of(previous.centre_D.unsqueeze(0)).front();
  out["fits"] = std::move(fits);
  const ChosenReadout chosen = choose_readout(train, validation, settings, metric);
  out["chosen"] = json::object{{"l2", chosen.final.l2}, {"scores", rows_of(chosen.final.predict(test.features_BD))}};
  io::write_file_atomically(argv[2], json::serialize(out));
  return 0;
}
