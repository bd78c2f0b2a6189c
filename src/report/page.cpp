#include "report/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <functional>
#include <set>

#include "config/setting.hpp"
#include "core/errors.hpp"
#include "report/charts.hpp"
#include "report/numbers.hpp"
#include "report/page/embedded.hpp"
#include "report/report.hpp"
#include "report/summary_view.hpp"

namespace invaria::report {

namespace {

namespace json = boost::json;

/// JSON inside <script>: no "<" may be in it, or the element could end there.
std::string inside_script(const json::object& object) {
  std::string text = json::serialize(object);
  for (size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at)) text.replace(at, 1, "\\u003c");
  return text;
}

/// A library inside <script>, without the reference to a source map, which a browser would look for.
std::string library(std::string_view code) {
  require(code.find("</script") == std::string_view::npos, "a library that ends the element that it stands in");
  constexpr std::string_view kMap = "//# sourceMappingURL=";
  const size_t at = code.rfind(kMap);
  std::string out = "<script>";
  out += at == std::string_view::npos ? code : code.substr(0, at);
  return out + "\n</script>\n";
}

std::string element(const char* name, const std::string& text) {
  return fmt::format("<{0}>{1}</{0}>", name, html_escaped(text));
}

/// What the shapes and colours of arms mean; as charts_arms.cpp and page.js have them.
constexpr const char* kKinds =
    "<ul class=\"legend\" aria-label=\"Kinds of arms\">\n<li class=\"learned\">\u25CF learned i</li>\n<li "
    "class=\"chosen\">\u25A0 grid-best, "
    "chosen by validation</li>\n<li class=\"given\">\u25CF given i</li>\n<li class=\"baseline\">\u25B2 "
    "baseline</li>\n<li "
    "class=\"oracle\">\u25C6 oracle, chosen on the test set: a mark, no contestant</li>\n</ul>\n";

/// What is drawn on grids of two axes, and on tiles; as charts_grid.cpp has it.
constexpr const char* kMarks =
    "<ul class=\"legend\" aria-label=\"Marks on grids\">\n<li>\u25CB learned-projected</li>\n<li>\u271A "
    "learned-joint</li>\n<li>\u25B3 learned-episode</li>\n"
    "<li>\u25A1 grid-best, chosen by validation</li>\n<li>\u25C7 oracle, chosen on the test set</li>\n</ul>\n";
constexpr const char* kTileMarks =
    "<ul class=\"legend\" aria-label=\"Marks on tiles\">\n<li>\u25CF the point next to a learned i</li>\n"
    "<li>\u25A0 grid-best, chosen by validation</li>\n<li>\u25C6 oracle, chosen on the test set</li>\n</ul>\n";

/// "2024-05-01 10:00 UTC" of 2024-05-01T10:00:00Z; other text as it is.
std::string minute_of(const std::string& moment) {
  if (moment.size() < 17 || moment[10] != 'T') return moment;
  return fmt::format("{} {} UTC", moment.substr(0, 10), moment.substr(11, 5));
}

/// One part of the page; ids are told apart between parts by `prefix`.
class Part {
 public:
  Part(const io::Results& results, std::string prefix)
      : results_(results), prefix_(std::move(prefix)), view_(results), sections_(sections_of(results)) {}

  std::string html() {
    write_head();
    write("failed", {});
    write("arms", arms_charts(view_));
    write("learned", learned_charts(results_, view_));
    write_charts_alone("trajectories", "Trajectories",
                       "how i and the training loss went, a line a repeat and encoder seed",
                       trajectory_charts(results_, view_));
    write("ranks", ranks_charts(results_.arm_summary, view_));
    write("effort", {});
    write_grids();
    write("corners", {});
    write("intervals", {});
    write("other-metrics", {});
    write_all_starting_with("published-", {});
    write("sensitivity", sensitivity_charts(results_.content));
    write_all_starting_with("measured-", [&](const std::string& kind) { return similarity_charts(results_, kind); });
    write("encoders", pretraining_charts(results_.content), "wide");
    write("stages", stages_charts(results_.content), "wide");
    write("data", {});
    write_provenance();
    return head_ + navigation() + body_;
  }

 private:
  std::string id(const std::string& name) const { return prefix_ + name; }

  const Section* find(const std::string& name) const {
    const auto found = std::find_if(sections_.begin(), sections_.end(), [&](const Section& s) { return s.id == name; });
    return found == sections_.end() ? nullptr : &*found;
  }

  void fact(const char* name, const std::string& value) {
    if (!value.empty()) head_ += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", name, html_escaped(value));
  }

  void write_head() {
    const io::RunInfo& info = results_.info;
    const io::Segment& content = results_.content;
    head_ = fmt::format("<header id=\"{}\">\n<h1>{}</h1>\n", id("top"),
                        html_escaped(info.suite.empty() ? "A run" : info.suite));
    head_ += fmt::format("<p class=\"verdict {}\"><b>{}</b> <span>{}</span></p>\n<dl class=\"facts\">\n",
                         info.valid ? "valid" : "invalid", info.valid ? "VALID" : "INVALID",
                         html_escaped(info.valid ? "no job failed, no encoder or split changed, nothing is missing"
                                                 : info.invalid_because));
    std::set<std::string> jobs, finished;
    for (const io::JobRecord& job : content.jobs) {
      jobs.insert(job.job_id);
      if (job.status == "finished") finished.insert(job.job_id);
    }
    fact("begun", minute_of(info.created));
    fact("finished", minute_of(info.finished));
    fact("wall-clock time", duration(info.wall_s));
    fact("ranks", fmt::format("{}", info.world_size));
    fact("encoders", fmt::format("{}", content.encoders.size()));
    fact("tasks", fmt::format("{}", view_.tasks().size()));
    fact("jobs finished", fmt::format("{} of {}", finished.size(), jobs.size()));
    if (!std::isnan(info.energy_J)) fact("energy", quantity(info.energy_J) + "J");
    fact("version", info.version + (info.git_commit.empty() ? ""
                                                            : fmt::format(" ({}{})", info.git_commit.substr(0, 12),
                                                                          info.git_dirty ? ", changed" : "")));
    head_ += "</dl>\n</header>\n";
  }

  std::string navigation() const {
    std::string out = "<nav aria-label=\"Sections\"><ul>\n";
    for (const auto& [anchor, title] : anchors_) {
      out += fmt::format("<li><a href=\"#{}\">{}</a></li>\n", anchor, html_escaped(title));
    }
    return out + "</ul></nav>\n";
  }

  void begin(const std::string& name, const std::string& title, const std::string& explanation) {
    anchors_.emplace_back(id(name), title);
    body_ +=
        fmt::format("<section id=\"{0}\" class=\"{1}\" aria-labelledby=\"{0}-title\">\n<h2 id=\"{0}-title\">{2}</h2>\n",
                    id(name), name, html_escaped(title));
    if (!explanation.empty()) body_ += fmt::format("<p class=\"explanation\">{}</p>\n", html_escaped(explanation));
  }

  void add_table(const Table& table, const std::string& title) {
    body_ += fmt::format("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">\n{}</div>\n",
                         html_escaped("Table: " + title), report::html(table));
  }

  void add_charts(const std::vector<Chart>& charts, const char* size) {
    if (charts.empty()) return;
    body_ += fmt::format("<div class=\"charts {}\">\n", size);
    for (const Chart& chart : charts) {
      const std::string caption = chart.caption.empty() ? "" : element("span", chart.caption);
      body_ += fmt::format("<figure>\n<figcaption>{}{}</figcaption>\n", html_escaped(chart.title), caption);
      for (size_t k = 0; k < chart.specs.size(); ++k) {
        body_ += fmt::format(
            "<div class=\"plot\" data-chart=\"{0}\"></div>\n<script type=\"application/json\" "
            "id=\"spec-{0}\">{1}</script>\n",
            chart_ids_.unlike(id(chart.id)), inside_script(chart.specs[k]));
      }
      body_ += "</figure>\n";
    }
    body_ += "</div>\n";
  }

  void add_content(const Section& section) {
    for (const Table& table : section.tables) add_table(table, section.title);
    if (section.lines.empty()) return;
    body_ += "<div class=\"lines\">";
    for (const std::string& line : section.lines) body_ += html_escaped(line) + "\n";
    body_ += "</div>\n";
  }

  void write(const std::string& name, const std::vector<Chart>& charts, const char* size = "") {
    const Section* section = find(name);
    if (section == nullptr) return;
    begin(name, section->title, section->explanation);
    if (name == "arms" || name == "ranks") body_ += kKinds;
    body_ += charts.size() <= 2 ? "<div class=\"body\">\n" : "<div>\n";
    add_content(*section);
    add_charts(charts, size);
    body_ += "</div>\n</section>\n";
  }

  /// @param charts  what belongs to the rest of a section's id; may be empty
  void write_all_starting_with(const std::string& prefix,
                               const std::function<std::vector<Chart>(const std::string&)>& charts) {
    for (const Section& section : sections_) {
      if (!section.id.starts_with(prefix)) continue;
      write(section.id, charts ? charts(section.id.substr(prefix.size())) : std::vector<Chart>());
    }
  }

  void write_charts_alone(const char* name, const char* title, const char* explanation,
                          const std::vector<Chart>& charts) {
    if (charts.empty()) return;
    begin(name, title, explanation);
    add_charts(charts, "");
    body_ += "</section>\n";
  }

  void write_grids() {
    const std::vector<Chart> charts = grid_charts(results_, view_);
    if (charts.empty()) return;
    begin("grid", "Grid of i", "mean test values over the grid; the marks are those of each repeat and encoder seed");
    body_ += results_.axes.size() == 2 ? kMarks : kTileMarks;
    add_charts(charts, "");
    body_ += "<details><summary>The same as tables</summary>\n";
    for (const Section& section : sections_) {
      if (!section.id.starts_with("grid-")) continue;
      body_ += element("h3", section.title) + "\n";
      add_content(section);
    }
    body_ += "</details>\n</section>\n";
  }

  /// JSON with line breaks, or the text as it is.
  void add_record(const char* title, const std::string& text) {
    if (text.empty()) return;
    boost::system::error_code error;
    const json::value parsed = json::parse(text, error);
    const std::string shown = error ? text : config::pretty(parsed);
    body_ += fmt::format("<details><summary>{}</summary><pre tabindex=\"0\">{}</pre></details>\n", title,
                         html_escaped(shown));
  }

  void write_provenance() {
    begin("provenance", "Where it comes from", "");
    if (const Section* run = find("run")) add_content(*run);
    add_record("The suite with all its settings", results_.info.settings);
    add_record("Compiler and flags", results_.info.compiler + "\n" + results_.info.flags);
    add_record("Libraries", results_.info.libraries);
    if (results_.info.slurm != "{}") add_record("Slurm job", results_.info.slurm);
    add_record("Hosts", results_.info.hosts);
    body_ += "</section>\n";
  }

  const io::Results& results_;
  std::string prefix_;
  SummaryView view_;
  std::vector<Section> sections_;
  std::vector<std::pair<std::string, std::string>> anchors_;  ///< id and title
  Slugs chart_ids_;  ///< of tasks whose names differ in signs alone, and of charts of several specifications
  std::string head_, body_;
};

/// Nothing may be fetched: what the page needs is in it. Vega makes functions from expressions.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:";

}  // namespace

std::string page(const std::vector<io::Results>& results) {
  std::string title;
  for (const io::Results& each : results) {
    if (!title.empty()) title += ", ";
    title += fmt::format("{}: {}", each.info.suite, each.info.valid ? "VALID" : "INVALID");
  }
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n<link rel=\"icon\" href=\"data:,\">\n"
      "<title>{}</title>\n<style>\n",
      kPolicy, html_escaped(title));
  out += embedded::style();
  out += "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the results</a>\n<main id=\"main\">\n";
  out +=
      "<noscript><p>Charts need JavaScript. The tables are complete without; of curves and trajectories the points are "
      "in results.h5.</p></noscript>\n";
  if (results.size() > 1) {
    out += "<ul class=\"verdicts\" aria-label=\"Runs on this page\">\n";
    for (size_t k = 0; k < results.size(); ++k) {
      const io::RunInfo& info = results[k].info;
      out += fmt::format("<li class=\"verdict {}\"><b>{}</b> <a href=\"#run{}-top\">{}</a> <span>{}</span></li>\n",
                         info.valid ? "valid" : "invalid", info.valid ? "VALID" : "INVALID", k + 1,
                         html_escaped(info.suite.empty() ? "A run" : info.suite),
                         html_escaped(info.valid ? "" : info.invalid_because));
    }
    out += "</ul>\n";
  }
  for (size_t k = 0; k < results.size(); ++k) {
    out += Part(results[k], results.size() == 1 ? "" : fmt::format("run{}-", k + 1)).html();
  }
  out += "</main>\n<footer>\n<details><summary>Licences of what draws the charts</summary><pre tabindex=\"0\">";
  out += html_escaped(embedded::notice()) + html_escaped(embedded::licence());
  out += "</pre></details>\n</footer>\n";
  out += library(embedded::vega()) + library(embedded::vega_lite()) + library(embedded::vega_embed());
  out += library(embedded::script());
  return out + "</body>\n</html>\n";
}

}  // namespace invaria::report
