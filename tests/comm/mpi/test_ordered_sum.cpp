// Sums over ranks: both transports give the bits of the reference. A wait inside a collective hides nothing: every case
// checks afterwards.
#include "core/errors.hpp"
#include "tests/comm/mpi/reference.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::comm;

namespace {

// Nothing, one, odd, just below and above the small-message limits, a chunk of the window and its neighbours, several
// chunks, several rounds.
const std::vector<size_t> kSizes = {0, 1, 7, 100, 1023, 1025, 2049, 65535, 65536, 65537, 3 * 65536 + 5, 5'000'011};

template <class T>
void sums_have_the_reference_bits(const Communicator& communicator) {
  for (const size_t size : kSizes) {
    auto values = awkward_values<T>(size, size);
    const auto expected = reference_sum(values);
    communicator.all_reduce_sum(std::span<T>(values));
    INFO(size << " values");
    CHECK(same_bits(values, expected));
  }
}

}  // namespace

TEST_CASE("a sum has the bits of adding in rank order, through window and messages", "[comm][sum]") {
  for (const auto transport : {Transport::kWindow, Transport::kMessages}) {
    const auto communicator = Communicator::world(transport);
    INFO("transport " << static_cast<int>(transport));
    CHECK(communicator.transport() == transport);
    sums_have_the_reference_bits<float>(communicator);
    sums_have_the_reference_bits<double>(communicator);
  }
}

TEST_CASE("sums one after another do not disturb each other", "[comm][sum]") {
  for (const auto transport : {Transport::kWindow, Transport::kMessages}) {
    const auto communicator = Communicator::world(transport);
    int wrong = 0;
    for (uint64_t step = 0; step < 2000; ++step) {
      auto values = awkward_values<float>(1 + (step * 37) % 300, step);
      const auto expected = reference_sum(values);
      communicator.all_reduce_sum(std::span<float>(values));
      if (!same_bits(values, expected)) ++wrong;
      if (step % 3 == 0) communicator.barrier();
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("back-to-back sums of changing lengths keep their bits without any barrier between", "[comm][sum]") {
  const auto communicator = Communicator::world();
  std::vector<std::vector<float>> values, expected;
  for (uint64_t step = 0; step < 60; ++step) {
    values.push_back(awkward_values<float>((step * 7919) % 200'000, step));
    expected.push_back(reference_sum(values.back()));
  }
  for (auto& v : values) communicator.all_reduce_sum(std::span<float>(v));
  int wrong = 0;
  for (size_t k = 0; k < values.size(); ++k) wrong += same_bits(values[k], expected[k]) ? 0 : 1;
  CHECK(wrong == 0);
}

TEST_CASE("the mean over pieces is the reference sum divided by the ranks", "[comm][sum]") {
  for (const auto transport : {Transport::kWindow, Transport::kMessages}) {
    const auto communicator = Communicator::world(transport);
    std::vector<std::vector<float>> pieces;
    for (const size_t size : {3U, 0U, 70'000U, 1U, 131'072U, 900'001U, 64U})
      pieces.push_back(awkward_values<float>(size, size + 1));
    std::vector<std::vector<float>> expected;
    for (const auto& piece : pieces) {
      expected.push_back(reference_sum(piece));
      for (float& value : expected.back()) value /= static_cast<float>(world_size());
    }

    std::vector<std::span<float>> spans(pieces.begin(), pieces.end());
    communicator.all_reduce_mean(spans);

    for (size_t k = 0; k < pieces.size(); ++k) CHECK(same_bits(pieces[k], expected[k]));
  }
}

TEST_CASE("a sum of different lengths is refused on every rank, and the next sum works", "[comm][sum]") {
  const auto communicator = Communicator::world(Transport::kWindow);
  if (communicator.size() == 1) return;
  for (int attempt = 0; attempt < 3; ++attempt) {
    std::vector<float> uneven(communicator.rank() == 1 ? 200'000 : 100);
    CHECK_THROWS_AS(communicator.all_reduce_sum(std::span<float>(uneven)), PreconditionError);
    auto values = awkward_values<float>(1000, 5);
    const auto expected = reference_sum(values);
    communicator.all_reduce_sum(std::span<float>(values));
    CHECK(same_bits(values, expected));
  }
}

TEST_CASE("bytes are counted where they are handed over", "[comm][sum]") {
  const auto communicator = Communicator::world();
  const auto second = communicator.duplicate();
  std::vector<float> floats(10);
  std::vector<double> doubles(3);
  communicator.all_reduce_sum(std::span<float>(floats));
  second.all_reduce_sum(std::span<double>(doubles));
  communicator.any(true);
  communicator.barrier();
  CHECK(communicator.bytes_reduced() == 10 * 4 + 3 * 8);
  CHECK(second.bytes_reduced() == communicator.bytes_reduced());
}
