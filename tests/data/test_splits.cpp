#include <algorithm>
#include <map>
#include <set>

#include "core/errors.hpp"
#include "core/sha256.hpp"
#include "data/splits.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::data;

namespace {

std::vector<int64_t> labels_of(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> labels;
  for (size_t label = 0; label < sizes.size(); ++label)
    labels.insert(labels.end(), static_cast<size_t>(sizes[label]), static_cast<int64_t>(label));
  return labels;
}

std::map<int64_t, int64_t> counts(const std::vector<int64_t>& labels, const std::vector<int64_t>& indices) {
  std::map<int64_t, int64_t> out;
  for (const int64_t index : indices) ++out[labels[static_cast<size_t>(index)]];
  return out;
}

}  // namespace

TEST_CASE("a stratified split parts all samples, each class by its share", "[data][splits]") {
  const auto labels = labels_of({15, 15, 30, 5});
  const SplitIndices split = stratified_split(labels, 0.2, 7);
  CHECK(counts(labels, split.chosen) == std::map<int64_t, int64_t>{{0, 3}, {1, 3}, {2, 6}, {3, 1}});
  CHECK(std::is_sorted(split.rest.begin(), split.rest.end()));
  CHECK(std::is_sorted(split.chosen.begin(), split.chosen.end()));
  std::set<int64_t> all(split.rest.begin(), split.rest.end());
  all.insert(split.chosen.begin(), split.chosen.end());
  CHECK(all.size() == labels.size());
  CHECK(split.rest.size() + split.chosen.size() == labels.size());
}

TEST_CASE("shares that do not divide go to the classes with the largest remainders", "[data][splits]") {
  // 0.3 of 4, 5, 6 is 1.2, 1.5, 1.8; 4.5 in all, rounded to 5: one each, and one more for the last two.
  const auto labels = labels_of({4, 5, 6});
  CHECK(counts(labels, stratified_split(labels, 0.3, 0).chosen) == std::map<int64_t, int64_t>{{0, 1}, {1, 2}, {2, 2}});
}

TEST_CASE("a split is a function of labels and seed", "[data][splits]") {
  const auto labels = labels_of({20, 20});
  CHECK(stratified_split(labels, 0.5, 1).chosen == stratified_split(labels, 0.5, 1).chosen);
  CHECK(stratified_split(labels, 0.5, 1).chosen != stratified_split(labels, 0.5, 2).chosen);
  // A class is cut without regard to the others.
  const auto more = labels_of({20, 20, 20});
  const auto few = stratified_split(labels, 0.5, 1).chosen;
  const auto many = stratified_split(more, 0.5, 1).chosen;
  CHECK(std::equal(few.begin(), few.end(), many.begin()));
}

TEST_CASE("the edges of a stratified split", "[data][splits]") {
  const auto labels = labels_of({3, 2});
  CHECK(stratified_split(labels, 0.0, 0).chosen.empty());
  CHECK(stratified_split(labels, 1.0, 0).rest.empty());
  CHECK(stratified_split({}, 0.5, 0).rest.empty());
  CHECK_THROWS_AS(stratified_split(labels, 1.1, 0), PreconditionError);
}

TEST_CASE("20 of 101 classes are every fifth, the first 20", "[data][splits]") {
  const auto classes = spread_classes(101, 20);
  REQUIRE(classes.size() == 20);
  for (size_t i = 0; i < classes.size(); ++i) CHECK(classes[i] == static_cast<int64_t>(5 * i));
  CHECK(spread_classes(3, 3) == std::vector<int64_t>{0, 1, 2});
  CHECK_THROWS_AS(spread_classes(3, 4), PreconditionError);
}

TEST_CASE("a subset keeps the samples of its classes and renumbers them", "[data][splits]") {
  const std::vector<int64_t> labels{4, 0, 2, 4, 1};
  const std::vector<int64_t> classes{4, 2};
  const Subset subset = subset_classes(labels, classes);
  CHECK(subset.indices == std::vector<int64_t>{0, 2, 3});
  CHECK(subset.labels == std::vector<int64_t>{0, 1, 0});
}

TEST_CASE("a split's hash sees names, labels, targets, pixels and their order", "[data][splits]") {
  const std::vector<std::string> names{"a", "b"};
  const std::vector<int64_t> labels{0, 1};
  const std::vector<std::vector<double>> targets{{0.5}, {2}};
  const std::vector<std::string> pixels{"p", "q"};
  CHECK(split_hash(names, labels, {}, pixels) == sha256_hex("a\t0\tp\nb\t1\tq\n"));
  CHECK(split_hash(names, labels, targets, pixels) == sha256_hex("a\t0\t0.5\tp\nb\t1\t2\tq\n"));
  CHECK(split_hash(names, {}, {}, pixels) == sha256_hex("a\tp\nb\tq\n"));
}
