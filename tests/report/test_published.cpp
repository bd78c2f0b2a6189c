#include "report/published.hpp"

#include <filesystem>

#include "report/merge.hpp"
#include "report/writers.hpp"
#include "tests/report/small_run.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/error_of.hpp"

using namespace invaria;
using namespace invaria::report;

namespace {

std::string section_of(const std::string& suite) {
  io::Results results = merge(small_info(), small_axes(), small_segment(), small_expectation());
  results.info.settings = suite;
  std::string text;
  for (const Section& section : published_sections(results, SummaryView(results))) {
    for (const Table& table : section.tables) text += report::text(table, Style::kPlain);
    for (const std::string& line : section.lines) text += line + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("every table of published numbers names its source, and its values are fractions", "[report]") {
  int n_tables = 0;
  for (const auto& entry : std::filesystem::directory_iterator(INVARIA_SOURCE_DIR "/results/published")) {
    const std::string name = entry.path().stem().string();
    CAPTURE(name);
    const Published published = read_published(name);
    CHECK(published.name == name);
    CHECK_FALSE(published.source.empty());
    CHECK((!published.rows.empty() || !published.not_available.empty()));
    for (const PublishedRow& row : published.rows) CHECK((row.value > 0 && row.value <= 1));
    ++n_tables;
  }
  CHECK(n_tables > 0);
}

TEST_CASE("published numbers stand beside the run's own on the tasks that share data set and metric", "[report]") {
  const std::string section = section_of(
      R"({"published": ["imagenet100-resnet50-linear"],
          "tasks": [{"name": "known-01", "data": "cifar10"}, {"name": "known-10", "data": "flowers102"}]})");
  CAPTURE(section);
  CHECK(section.find("MoCo-v2            published") != std::string::npos);
  CHECK(section.find("84.6") != std::string::npos);
  CHECK(section.find("learned-projected  this run   92.0") != std::string::npos);
  CHECK(section.find("known-10") == std::string::npos);  // no row of the table is on its data set
  CHECK(section.find("not available: AI-MoCo-v2") != std::string::npos);
  CHECK(section.find("source: ") != std::string::npos);
}

TEST_CASE("a source whose numbers are not at hand says so beside any run", "[report]") {
  const std::string section = section_of(R"({"published": ["amortised-invariances"], "tasks": []})");
  CAPTURE(section);
  CHECK(section.find("not available: AI-ViT-B") != std::string::npos);
  CHECK(section.find("arXiv:2302.12712") != std::string::npos);
}

TEST_CASE("a run that names no published table has no such section, and an unknown name is refused", "[report]") {
  CHECK(section_of(R"({"tasks": []})").empty());
  CHECK(section_of(R"({"published": [], "tasks": []})").empty());
  const std::string error =
      error_of([] { section_of(R"({"published": ["imagenet100-resnet50-linaer"], "tasks": []})"); });
  CAPTURE(error);
  CHECK(error.find("imagenet100-resnet50-linear") != std::string::npos);
}
