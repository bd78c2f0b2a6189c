#pragma once
/// @file
/// Numbers that others have published, kept in results/published/<name>.json with their source, to be laid beside a
/// run's.

#include <string>
#include <tuple>
#include <vector>

#include "config/setting.hpp"
#include "io/results.hpp"
#include "report/sections.hpp"
#include "report/summary_view.hpp"

namespace invaria::report {

/// One value.
struct PublishedRow {
  std::string arm;     ///< the method's name in the source
  std::string data;    ///< data set, by its manifest's name
  std::string metric;  ///< as results name it
  double value = 0.0;  ///< fraction

  static auto settings() {
    using S = PublishedRow;
    return std::tuple{config::setting("arm", &S::arm, "the method's name in the source", config::required()),
                      config::setting("data", &S::data, "data set, by its manifest's name", config::required()),
                      config::setting("metric", &S::metric, "as results name it", config::required()),
                      config::setting("value", &S::value, "fraction", config::between(-10, 10))};
  }
};

/// A table of a source.
struct Published {
  std::string name;
  std::string title;
  std::string source;
  std::vector<std::string> not_available;
  std::vector<PublishedRow> rows;

  static auto settings() {
    using S = Published;
    return std::tuple{
        config::setting("name", &S::name, "its file's", config::required()),
        config::setting("title", &S::title, "what was measured", config::required()),
        config::setting("source", &S::source, "where the numbers stand", config::required()),
        config::setting("not_available", &S::not_available, "what one would look for and the source does not give"),
        config::setting("rows", &S::rows, "the values", config::required())};
  }
};

/// Read results/published/<name>.json. @throws ConfigError if there is none of that name (naming those there are), or
/// it is not as declared
Published read_published(const std::string& name);

/// The tables that the run's suite names in `published`, each with the run's own arms below: columns are the tasks on
/// its data sets in its metrics. None if the suite names none.
/// @throws ConfigError as read_published()
std::vector<Section> published_sections(const io::Results& results, const SummaryView& view);

}  // namespace invaria::report
