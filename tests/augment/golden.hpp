#pragma once
// Golden files of tests/golden/augment: NAME.json lists cases, whose outputs lie in NAME.f32.
#include <ATen/ATen.h>

#include <boost/json.hpp>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"

namespace invaria::augment {

/// All cases of a golden file; the input is the first.
class Golden {
 public:
  explicit Golden(const std::string& name)
      : cases(boost::json::parse(read(name + ".json")).as_array()), values_(read(name + ".f32")) {}

  at::Tensor output(const boost::json::object& one) const {
    const auto shape = boost::json::value_to<std::vector<int64_t>>(one.at("shape"));
    at::Tensor tensor = at::empty(shape, at::kFloat);
    const size_t offset = one.at("offset").to_number<size_t>() * sizeof(float);
    REQUIRE(offset + tensor.nbytes() <= values_.size());
    std::memcpy(tensor.data_ptr(), values_.data() + offset, tensor.nbytes());
    return tensor;
  }

  boost::json::array cases;

 private:
  static std::string read(const std::string& name) {
    std::ifstream file(INVARIA_SOURCE_DIR "/tests/golden/augment/" + name, std::ios::binary);
    REQUIRE(file.good());
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string values_;
};

}  // namespace invaria::augment
