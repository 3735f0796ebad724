// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

namespace meanflow::base {

/// One line of a chart; points that are not finite are gaps, drawn as red marks at the upper edge.
struct ChartLine {
  std::string name;
  std::vector<double> x, y;
};
struct ChartLook {
  std::string title, x_label;
  bool is_log_y = false;  ///< Values at or below zero are gaps.
  double marked_x = 0;    ///< A vertical line where `has_mark`.
  bool has_mark = false;
};
/// A line chart as an SVG document of 720 x 300, readable on light and dark pages. Names are escaped.
std::string svgLineChart(const ChartLook& look, const std::vector<ChartLine>& lines);

/// rows x columns values as coloured cells under their names, on a log scale; not finite cells are red.
std::string svgHeatMap(const std::string& title, const std::vector<std::string>& row_names,
                       const std::vector<std::string>& column_names, const std::vector<std::vector<double>>& rows);

}  // namespace meanflow::base
