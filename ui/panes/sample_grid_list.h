// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/events/training_event.h"

namespace meanflow::ui {

/// One saved grid: a row a class, the same noise at every step. Cells are width/columns by height/rows pixels.
struct SampleGridEntry {
  std::string stage;
  std::int64_t step = 0;
  std::string what;  ///< "one_step", "two_step", "teacher", "reconstruction".
  int nfe = 1;
  bool is_ema = true;
  int rows = 0, columns = 0;
  std::shared_ptr<const std::vector<std::string>> row_labels;  ///< Shared by the grids of a run; may be null.
  std::string path;                                            ///< Handed to the loader when `image` is absent.
  std::shared_ptr<const base::Image8> image;
  double cost_ms = 0;  ///< What making it took from training.
};

/// The entry of an event; `previous` (may be null) lends its labels when they are the same.
SampleGridEntry sampleGridEntry(const base::SamplesReady& event, const SampleGridEntry* previous = nullptr);

/// How a grid was made.
struct SampleGridKind {
  std::string what;
  int nfe = 1;
  bool is_ema = true;
  bool operator==(const SampleGridKind&) const = default;
};
SampleGridKind kindOf(const SampleGridEntry& entry);
QString kindText(const SampleGridKind& kind);
/// Stage, step, calls, weights and cost.
QString entryText(const SampleGridEntry& entry);
/// Name of the class in a row, or its number.
QString rowLabel(const SampleGridEntry& entry, int row);

/// The grids of a run in order of the event stream, and which of them belong together.
class SampleGridList {
 public:
  void clear();
  void add(SampleGridEntry entry);
  bool empty() const { return entries_.empty(); }
  const SampleGridEntry& at(int index) const { return entries_[static_cast<std::size_t>(index)]; }
  const std::vector<SampleGridEntry>& entries() const { return entries_; }
  const std::vector<std::string>& stages() const { return stages_; }  ///< In order of appearance.
  int newest() const { return static_cast<int>(entries_.size()) - 1; }

  std::vector<int> indicesOf(const std::string& stage, const SampleGridKind& kind) const;
  /// Of `indices` the last with a step at or before `step`, or the first of them; -1 for none.
  int lastAtOrBefore(const std::vector<int>& indices, std::int64_t step) const;
  /// In order of appearance; of all stages for an empty one.
  std::vector<SampleGridKind> kindsOf(const std::string& stage) const;
  /// The grid to show beside another one on the same noise; without a wish the teacher's if there is one.
  int besideOf(int shown, const std::optional<SampleGridKind>& wish) const;

 private:
  std::vector<SampleGridEntry> entries_;
  std::vector<std::string> stages_;
};

}  // namespace meanflow::ui
