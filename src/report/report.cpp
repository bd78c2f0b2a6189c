#include "report/report.hpp"

#include <fmt/format.h>

#include "report/published.hpp"
#include "report/sections.hpp"
#include "report/summary_view.hpp"

namespace invaria::report {

std::string verdict(const io::RunInfo& info) {
  return info.valid ? "VALID" : fmt::format("INVALID: {}", info.invalid_because);
}

std::string render(const io::Results& results, Style style) {
  const SummaryView view(results.summary);
  const io::Segment& content = results.content;
  std::string out = verdict(results.info) + "\n";
  for (const std::string& section :
       {run_section(results.info, style), encoders_section(content, style), data_section(content, style),
        arms_section(view, style), intervals_section(results, view, style), published_section(results, view, style),
        learned_section(results, view, style), ranks_section(results.arm_summary, view, style),
        corners_section(view, style), grid_section(results.axes, view, style), other_metrics_section(view, style),
        sensitivity_section(content, style), similarities_section(content, style), stages_section(content, style),
        failures_section(content, style)}) {
    if (!section.empty()) out += "\n" + section;
  }
  return out + "\n" + verdict(results.info) + "\n";
}

}  // namespace invaria::report
