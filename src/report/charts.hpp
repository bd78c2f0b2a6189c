#pragma once
/// @file
/// The charts of the page: Vega-Lite 4 specifications with their data inside. Colours that depend on light and dark are
/// named "theme:<name>" (page/page.js holds the palettes); widths are the container's.

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "io/results.hpp"
#include "report/summary_view.hpp"

namespace invaria::report {

struct Chart {
  std::string id;                          ///< as a section's
  std::string title;                       ///< a few words, under the chart's place in the page
  std::string caption;                     ///< what to see in it; may be empty
  std::vector<boost::json::object> specs;  ///< drawn below each other
};

/// Each returns no chart where there is nothing to draw.

/// One chart a task: arms down, the mean and its interval across.
std::vector<Chart> arms_charts(const SummaryView& view);
/// Average rank and regret of arms.
std::vector<Chart> ranks_charts(const io::Table& arm_summary, const SummaryView& view);
/// Where the learned i went: with two axes in their square, with another number as parallel coordinates. Rings are
/// the corners that known tasks are marked for.
std::vector<Chart> learned_charts(const io::Results& results, const SummaryView& view);
/// i, and below it the loss, over the recorded points: a chart for every task and learned arm. Long trajectories are
/// thinned out.
std::vector<Chart> trajectory_charts(const io::Results& results, const SummaryView& view);
/// One heat map an encoder and task, with the points that were learned, best on validation and best on the test set.
std::vector<Chart> grid_charts(const io::Results& results, const SummaryView& view);
/// Encoders at corners down, transformations across.
std::vector<Chart> sensitivity_charts(const io::Segment& content);
/// One kind of measured similarity: a chart a transformation, encoders at the corners over its strengths; and a chart
/// an axis, every transformation's mean along it while the other axes are 1. Means over encoder seeds.
std::vector<Chart> similarity_charts(const io::Results& results, const std::string& kind);
/// Loss, top-1 and rate of encoders over steps, as means over as many steps as a pixel or two stand for; what monitors
/// saw at each corner.
std::vector<Chart> pretraining_charts(const io::Segment& content);
/// Mean and slowest rank of each stage.
std::vector<Chart> stages_charts(const io::Segment& content);

}  // namespace invaria::report
