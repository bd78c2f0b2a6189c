#include "report/published.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "core/errors.hpp"
#include "io/files.hpp"
#include "report/arms.hpp"
#include "report/numbers.hpp"

namespace invaria::report {
namespace {

namespace fs = std::filesystem;
namespace json = config::json;

std::vector<std::string> published_names() {
  std::vector<std::string> names;
  if (!fs::is_directory(INVARIA_PUBLISHED_DIR)) return names;
  for (const fs::directory_entry& entry : fs::directory_iterator(INVARIA_PUBLISHED_DIR)) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// A task of the run that the source has numbers for.
struct SharedTask {
  std::string task;
  std::string data;
  std::string metric;
};

const PublishedRow* find_row(const Published& published, const std::string& arm, const SharedTask& shared) {
  const auto found = std::find_if(published.rows.begin(), published.rows.end(), [&](const PublishedRow& row) {
    return row.arm == arm && row.data == shared.data && row.metric == shared.metric;
  });
  return found == published.rows.end() ? nullptr : &*found;
}

std::vector<SharedTask> shared_tasks(const Published& published, const json::object& suite, const SummaryView& view) {
  std::vector<SharedTask> shared;
  for (const json::value& entry : suite.at("tasks").as_array()) {
    const std::string name(entry.as_object().at("name").as_string());
    const std::string data(entry.as_object().at("data").as_string());
    if (!view.tasks().contains(name)) continue;
    for (const std::string& metric : view.metrics_of(name)) {
      const bool has_row = std::any_of(published.rows.begin(), published.rows.end(), [&](const PublishedRow& row) {
        return row.data == data && row.metric == metric;
      });
      if (has_row) shared.push_back({name, data, metric});
    }
  }
  return shared;
}

std::vector<std::string> arms_of(const Published& published) {
  std::vector<std::string> arms;
  for (const PublishedRow& row : published.rows) {
    if (std::find(arms.begin(), arms.end(), row.arm) == arms.end()) arms.push_back(row.arm);
  }
  return arms;
}

Table side_by_side(const std::string& name, const Published& published, const std::vector<SharedTask>& shared,
                   const SummaryView& view) {
  std::vector<Column> columns{key_column("arm"), key_column("from")};
  for (const SharedTask& task : shared) columns.push_back({task.task, task.metric + " %"});
  Table table(name, columns, kTasksAcross);
  for (const std::string& arm : arms_of(published)) {
    std::vector<Cell> cells{{arm}, {"published"}};
    for (const SharedTask& task : shared) {
      const PublishedRow* row = find_row(published, arm, task);
      cells.push_back(row != nullptr ? percent_cell(row->value) : no_cell());
    }
    table.add_row(std::move(cells));
  }
  for (const ArmName& arm : view.arms()) {
    if (!is_contestant(arm.arm)) continue;
    std::vector<Cell> cells{{view.label(arm)}, {"this run"}};
    bool has_value = false;
    for (const SharedTask& task : shared) {
      const SummaryCell* cell = view.find(arm, task.task, task.metric);
      has_value |= cell != nullptr;
      cells.push_back(cell != nullptr ? percent_cell(cell->mean, cell->ci95) : no_cell());
    }
    if (has_value) table.add_row(std::move(cells));
  }
  return table;
}

}  // namespace

Published read_published(const std::string& name) {
  const fs::path path = fs::path(INVARIA_PUBLISHED_DIR) / (name + ".json");
  if (!fs::exists(path)) {
    throw_config("published: there is no table {} in {}; {}", name, INVARIA_PUBLISHED_DIR,
                 config::name_hint(name, published_names()));
  }
  config::Problems problems;
  const Published published =
      config::parse<Published>(config::parse_text(io::read_file(path), path.string()), "", problems);
  problems.throw_if_any(path.string());
  return published;
}

std::vector<Section> published_sections(const io::Results& results, const SummaryView& view) {
  if (results.info.settings.empty()) return {};  // a run that says nothing of its suite
  const json::value suite = config::parse_text(results.info.settings, "the suite in the results");
  const json::value* names = suite.as_object().if_contains("published");  // absent in results of earlier versions
  if (names == nullptr) return {};
  std::vector<Section> out;
  for (const json::value& name : names->as_array()) {
    const Published published = read_published(std::string(name.as_string()));
    Section& section = out.emplace_back();
    section.id = slug("published-" + published.name);
    section.title = "Published";
    section.explanation = published.title;
    const std::vector<SharedTask> shared = shared_tasks(published, suite.as_object(), view);
    if (shared.empty()) section.lines.push_back("no task of this run is on its data sets");
    if (!shared.empty()) section.add(side_by_side(section.id, published, shared, view));
    section.lines.push_back("source: " + published.source);
    for (const std::string& missing : published.not_available) section.lines.push_back("not available: " + missing);
  }
  return out;
}

}  // namespace invaria::report
