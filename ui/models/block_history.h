// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "core/base/events/training_event.h"

namespace meanflow::ui {

/// What one column of a block's history holds of one figure.
struct BlockCell {
  double low = std::numeric_limits<double>::infinity();  ///< Of the finite values.
  double high = -std::numeric_limits<double>::infinity();
  double sum = 0;
  int num_finite = 0;
  int num_not_finite = 0;
  bool isEmpty() const { return num_finite + num_not_finite == 0; }
  double mean() const { return num_finite > 0 ? sum / num_finite : std::numeric_limits<double>::quiet_NaN(); }
  void add(double value);
  void add(const BlockCell& other);
};

/// Figures of one stage's blocks over its steps. Memory is bounded: when there are kMaxColumns, two and two become one,
/// which keeps extremes and non-finite values, and later reports are gathered by as many.
class BlockFigures {
 public:
  static constexpr std::size_t kMaxColumns = 1024;
  struct Column {
    std::int64_t first_step = 0, last_step = 0;
    int num_reports = 0;
    std::vector<std::vector<BlockCell>> cells;  ///< [figure][block]; may be shorter than the lists of names.
  };

  const std::vector<std::string>& blocks() const { return blocks_; }    ///< In the order they were first reported.
  const std::vector<std::string>& figures() const { return figures_; }  ///< Likewise.
  const std::vector<Column>& columns() const { return columns_; }       ///< By step.
  int reportsAColumn() const { return reports_a_column_; }
  /// Of a figure and block in a column; an empty one where nothing was reported.
  const BlockCell& cell(std::size_t column, std::size_t figure, std::size_t block) const;
  /// The column that tells of `step`: the first that ends at or after it, or the last one; npos when there is none.
  std::size_t columnAt(std::int64_t step) const;
  /// A column tells of the steps after this one up to its last.
  std::int64_t beginOf(std::size_t column) const;
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);

  void add(const base::BlockFiguresReady& event);
  /// Steps beyond `step` never were. A column that mixes such with earlier ones goes as a whole.
  bool dropAfter(std::int64_t step);

 private:
  static std::size_t indexOf(std::vector<std::string>& names, const std::string& name);
  void halve();

  std::vector<std::string> blocks_, figures_;
  std::vector<Column> columns_;
  int reports_a_column_ = 1;
};

/// How often a figure of a block took which size: bins of equal width in the logarithm.
struct BlockHistogram {
  std::vector<double> edges;  ///< [n + 1], ascending; empty when no value is positive.
  std::vector<int> counts;    ///< [n]
  int num_zero = 0;           ///< Not positive: they have no place on the axis.
  int num_not_finite = 0;
};
/// Where a column gathers several reports, all of them count at their mean.
BlockHistogram blockHistogram(const BlockFigures& figures, std::size_t figure, std::size_t block, int num_bins);

/// The figures of the blocks of all stages of a run, folded from its events.
class BlockHistory {
 public:
  /// Whether the event changed anything.
  bool apply(const base::TrainingEvent& event);
  const BlockFigures* stage(const std::string& name) const;
  bool empty() const { return stages_.empty(); }

 private:
  std::map<std::string, BlockFigures> stages_;
};

}  // namespace meanflow::ui
