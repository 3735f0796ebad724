// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/block_history.h"

#include <algorithm>
#include <cmath>

namespace meanflow::ui {

void BlockCell::add(double value) {
  if (!std::isfinite(value)) {
    ++num_not_finite;
    return;
  }
  low = std::min(low, value);
  high = std::max(high, value);
  sum += value;
  ++num_finite;
}

void BlockCell::add(const BlockCell& other) {
  low = std::min(low, other.low);
  high = std::max(high, other.high);
  sum += other.sum;
  num_finite += other.num_finite;
  num_not_finite += other.num_not_finite;
}

std::size_t BlockFigures::indexOf(std::vector<std::string>& names, const std::string& name) {
  const auto at = std::find(names.begin(), names.end(), name);
  const auto index = static_cast<std::size_t>(at - names.begin());
  if (at == names.end()) names.push_back(name);
  return index;
}

const BlockCell& BlockFigures::cell(std::size_t column, std::size_t figure, std::size_t block) const {
  static const BlockCell kNothing;
  if (column >= columns_.size()) return kNothing;
  const auto& cells = columns_[column].cells;
  return figure < cells.size() && block < cells[figure].size() ? cells[figure][block] : kNothing;
}

std::size_t BlockFigures::columnAt(std::int64_t step) const {
  if (columns_.empty()) return npos;
  const auto at = std::lower_bound(columns_.begin(), columns_.end(), step,
                                   [](const Column& column, std::int64_t s) { return column.last_step < s; });
  return static_cast<std::size_t>(std::min(at, columns_.end() - 1) - columns_.begin());
}

std::int64_t BlockFigures::beginOf(std::size_t column) const {
  if (column > 0) return columns_[column - 1].last_step;
  // The first report is taken to tell of as many steps as the next one, where there is one.
  const auto& first = columns_.front();
  const auto gap = columns_.size() > 1 ? columns_[1].first_step - first.last_step : first.first_step;
  return std::max<std::int64_t>(0, first.first_step - std::max<std::int64_t>(1, gap));
}

void BlockFigures::add(const base::BlockFiguresReady& event) {
  if (!columns_.empty() && event.step <= columns_.back().last_step) dropAfter(event.step - 1);
  if (columns_.empty() || columns_.back().num_reports >= reports_a_column_) {
    if (columns_.size() == kMaxColumns) halve();
    columns_.emplace_back().first_step = event.step;
  }
  auto& column = columns_.back();
  column.last_step = event.step;
  ++column.num_reports;
  std::vector<std::size_t> rows;
  for (const auto& block : event.blocks) rows.push_back(indexOf(blocks_, block));
  for (const auto& figure : event.figures) {
    const auto f = indexOf(figures_, figure.name);
    if (column.cells.size() <= f) column.cells.resize(f + 1);
    auto& cells = column.cells[f];
    if (cells.size() < blocks_.size()) cells.resize(blocks_.size());
    for (std::size_t i = 0; i < std::min(rows.size(), figure.values.size()); ++i)
      cells[rows[i]].add(static_cast<double>(figure.values[i]));
  }
}

void BlockFigures::halve() {
  std::vector<Column> merged;
  merged.reserve(kMaxColumns);
  for (std::size_t i = 0; i < columns_.size(); i += 2) {
    merged.push_back(std::move(columns_[i]));
    if (i + 1 == columns_.size()) break;
    auto& into = merged.back();
    const auto& from = columns_[i + 1];
    into.last_step = from.last_step;
    into.num_reports += from.num_reports;
    if (into.cells.size() < from.cells.size()) into.cells.resize(from.cells.size());
    for (std::size_t f = 0; f < from.cells.size(); ++f) {
      if (into.cells[f].size() < from.cells[f].size()) into.cells[f].resize(from.cells[f].size());
      for (std::size_t b = 0; b < from.cells[f].size(); ++b) into.cells[f][b].add(from.cells[f][b]);
    }
  }
  columns_ = std::move(merged);
  reports_a_column_ *= 2;
}

bool BlockFigures::dropAfter(std::int64_t step) {
  return std::erase_if(columns_, [step](const Column& column) { return column.last_step > step; }) > 0;
}

BlockHistogram blockHistogram(const BlockFigures& figures, std::size_t figure, std::size_t block, int num_bins) {
  BlockHistogram histogram;
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (std::size_t c = 0; c < figures.columns().size(); ++c) {
    const double mean = figures.cell(c, figure, block).mean();
    if (mean > 0) low = std::min(low, mean), high = std::max(high, mean);
  }
  if (high > 0) {
    if (high < low * 1.01) low /= 1.05, high *= 1.05;
    const double begin = std::log10(low), width = (std::log10(high) - begin) / num_bins;
    for (int i = 0; i <= num_bins; ++i) histogram.edges.push_back(std::pow(10, begin + i * width));
    histogram.counts.assign(static_cast<std::size_t>(num_bins), 0);
    for (std::size_t c = 0; c < figures.columns().size(); ++c) {
      const auto& cell = figures.cell(c, figure, block);
      const double mean = cell.mean();
      if (!(mean > 0)) continue;
      const int bin = std::clamp(static_cast<int>((std::log10(mean) - begin) / width), 0, num_bins - 1);
      histogram.counts[static_cast<std::size_t>(bin)] += cell.num_finite;
    }
  }
  for (std::size_t c = 0; c < figures.columns().size(); ++c) {
    const auto& cell = figures.cell(c, figure, block);
    if (cell.num_finite > 0 && !(cell.mean() > 0)) histogram.num_zero += cell.num_finite;
    histogram.num_not_finite += cell.num_not_finite;
  }
  return histogram;
}

bool BlockHistory::apply(const base::TrainingEvent& event) {
  if (const auto* figures = std::get_if<base::BlockFiguresReady>(&event)) {
    if (figures->blocks.empty() || figures->figures.empty()) return false;
    stages_[figures->stage].add(*figures);
    return true;
  }
  if (const auto* started = std::get_if<base::StageStarted>(&event)) {
    const auto stage = stages_.find(started->stage);
    return stage != stages_.end() && stage->second.dropAfter(started->step);
  }
  return false;
}

const BlockFigures* BlockHistory::stage(const std::string& name) const {
  const auto at = stages_.find(name);
  return at == stages_.end() || at->second.columns().empty() ? nullptr : &at->second;
}

}  // namespace meanflow::ui
