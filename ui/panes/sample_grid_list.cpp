// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panes/sample_grid_list.h"

#include <QCoreApplication>
#include <QStringList>
#include <algorithm>
#include <utility>

#include "ui/theme/format.h"

namespace meanflow::ui {
namespace {
QString gridText(const char* text) { return QCoreApplication::translate("SampleGridPane", text); }
}  // namespace

SampleGridEntry sampleGridEntry(const base::SamplesReady& event, const SampleGridEntry* previous) {
  SampleGridEntry entry{event.stage,   event.step, event.what, event.nfe,  event.is_ema, event.rows,
                        event.columns, nullptr,    event.path, event.grid, event.cost_ms};
  if (previous && previous->row_labels && *previous->row_labels == event.row_labels) {
    entry.row_labels = previous->row_labels;
  } else {
    entry.row_labels = std::make_shared<const std::vector<std::string>>(event.row_labels);
  }
  return entry;
}

SampleGridKind kindOf(const SampleGridEntry& entry) { return {entry.what, entry.nfe, entry.is_ema}; }

QString kindText(const SampleGridKind& kind) {
  QString text = QString::fromStdString(kind.what);
  if (kind.what == "one_step") text = gridText("One step");
  if (kind.what == "two_step") text = gridText("Two steps");
  if (kind.what == "teacher") text = gridText("Teacher");
  if (kind.what == "reconstruction") return gridText("Reconstruction");
  if (kind.what != "one_step" && kind.what != "two_step")
    text = kind.nfe <= 0   ? text
           : kind.nfe == 1 ? gridText("%1 (1 call)").arg(text)
                           : gridText("%1 (%2 calls)").arg(text).arg(kind.nfe);
  return kind.is_ema ? text : gridText("%1, raw weights").arg(text);
}

QString entryText(const SampleGridEntry& entry) {
  QStringList parts = {gridText("%1, step %2").arg(stageTitle(entry.stage)).arg(entry.step)};
  if (entry.what != "reconstruction") {
    if (entry.nfe > 0)  // otherwise a program recorded it that does not say
      parts << gridText("NFE %1").arg(entry.nfe) << (entry.is_ema ? gridText("EMA weights") : gridText("raw weights"));
  }
  if (entry.cost_ms > 0) parts << gridText("took %1 ms").arg(QString::number(entry.cost_ms, 'g', 3));
  return parts.join(QStringLiteral(" \u00b7 "));
}

QString rowLabel(const SampleGridEntry& entry, int row) {
  if (entry.row_labels && row < static_cast<int>(entry.row_labels->size())) {
    return QString::fromStdString((*entry.row_labels)[static_cast<std::size_t>(row)]);
  }
  return QString::number(row);
}

void SampleGridList::clear() {
  entries_.clear();
  stages_.clear();
}

void SampleGridList::add(SampleGridEntry entry) {
  if (std::find(stages_.begin(), stages_.end(), entry.stage) == stages_.end()) stages_.push_back(entry.stage);
  entries_.push_back(std::move(entry));
}

std::vector<int> SampleGridList::indicesOf(const std::string& stage, const SampleGridKind& kind) const {
  std::vector<int> indices;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].stage == stage && kindOf(entries_[i]) == kind) indices.push_back(static_cast<int>(i));
  }
  return indices;
}

int SampleGridList::lastAtOrBefore(const std::vector<int>& indices, std::int64_t step) const {
  int best = -1;
  for (const int index : indices) {
    if (entries_[static_cast<std::size_t>(index)].step <= step) best = index;
  }
  return best >= 0 || indices.empty() ? best : indices.front();
}

std::vector<SampleGridKind> SampleGridList::kindsOf(const std::string& stage) const {
  std::vector<SampleGridKind> kinds;
  for (const SampleGridEntry& entry : entries_) {
    if (!stage.empty() && entry.stage != stage) continue;
    if (std::find(kinds.begin(), kinds.end(), kindOf(entry)) == kinds.end()) kinds.push_back(kindOf(entry));
  }
  return kinds;
}

int SampleGridList::besideOf(int shown, const std::optional<SampleGridKind>& wish) const {
  // The kind asked for at the same step, else the nearest before in this stage, else the last of another stage: the
  // teacher's grid is made once, on the noise that every later stage uses too.
  const SampleGridEntry& a = at(shown);
  const std::vector<SampleGridKind> kinds = kindsOf({});
  SampleGridKind wanted = kindOf(a);
  if (wish && std::find(kinds.begin(), kinds.end(), *wish) != kinds.end()) {
    wanted = *wish;
  } else {
    for (const SampleGridKind& kind : kinds) {
      if (kind == kindOf(a)) continue;
      if (wanted == kindOf(a) || kind.what == "teacher") wanted = kind;
    }
  }
  if (const int same_stage = lastAtOrBefore(indicesOf(a.stage, wanted), a.step); same_stage >= 0) return same_stage;
  int best = -1;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const bool is_before = static_cast<int>(i) < shown;
    if (kindOf(entries_[i]) == wanted && (best < 0 || is_before)) best = static_cast<int>(i);
  }
  return best;
}

}  // namespace meanflow::ui
