// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/run_catalog.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <algorithm>

#include "core/base/events/event_json.h"
#include "core/base/run/run_folder.h"
#include "core/base/run/run_state.h"
#include "core/base/run/trace_folder.h"
#include "ui/models/recent_runs.h"
#include "ui/models/run_branch.h"

namespace meanflow::ui {
namespace {

constexpr qint64 kTailBytes = 128 << 10;  // a few hundred events: the last state is among them but for odd records

/// Goes through the end of events.jsonl, newest line first, until state and step are known.
void readTail(const QString& path, RunCard& card) {
  QFile file(path);
  if (!file.open(QIODevice::ReadOnly)) return;
  file.seek(std::max<qint64>(0, file.size() - kTailBytes));
  const auto lines = file.read(kTailBytes).split('\n');
  bool knows_state = false;
  for (auto line = lines.rbegin(); line != lines.rend() && !(knows_state && !card.stage.isEmpty()); ++line) {
    if (line->isEmpty()) continue;
    const auto record = base::eventFromJson({line->constData(), static_cast<std::size_t>(line->size())});
    if (!record.ok() || !*record) continue;  // the torn first line of the piece
    const auto& event = (*record)->event;
    if (const auto* state = std::get_if<base::StateChanged>(&event); state && !knows_state) {
      card.state = state->state;
      knows_state = true;
    } else if (const auto* step = std::get_if<base::StepCompleted>(&event); step && card.stage.isEmpty()) {
      card.stage = QString::fromStdString(step->stage);
      card.step = step->step;
      // A run that steps and has said nothing else for so long is running.
      if (!knows_state) card.state = base::RunState::kRunning;
    }
  }
}

/// The event that a branch begins with, if this is one.
void readBranch(const QString& path, RunCard& card) {
  constexpr qint64 kMost = 64 << 10;
  QFile file(path);
  if (!file.open(QIODevice::ReadOnly)) return;
  const auto line = file.readLine(kMost);
  if (!line.contains("run_branched")) return;
  auto record = base::eventFromJson({line.constData(), static_cast<std::size_t>(line.size())});
  if (!record.ok() || !*record) return;
  if (auto* branch = std::get_if<base::RunBranched>(&(*record)->event)) {
    card.parent = parentFolder(card.folder, *branch);
    card.branch = branchLine(*branch);
  }
}

}  // namespace

bool RunCard::isInterrupted() const { return !base::isEnded(state) && !is_owned && !is_foreign; }

RunCard readRunCard(const QString& folder) {
  RunCard card;
  card.folder = folder;
  card.name = QFileInfo(folder).fileName();
  const auto run = base::RunFolder::open(folder.toStdString());
  const QFileInfo events(folder + QStringLiteral("/events.jsonl"));
  card.is_there = run.ok() || events.exists();
  if (!events.exists() && QFileInfo(folder).isDir() && base::hasTraces(folder.toStdString()))
    card.is_there = card.is_foreign = true;
  if (!card.is_there) return card;
  card.is_owned = run.ok() && run->isOwnedBySomeone();
  card.changed = events.exists() ? events.lastModified() : QFileInfo(folder).lastModified();
  readTail(events.filePath(), card);
  readBranch(events.filePath(), card);
  QFile notes(folder + QStringLiteral("/notes.txt"));
  if (notes.open(QIODevice::ReadOnly)) card.notes = QString::fromUtf8(notes.read(1 << 16));
  return card;
}

std::vector<std::pair<const RunCard*, int>> asFamilies(const std::vector<RunCard>& cards) {
  std::vector<std::pair<const RunCard*, int>> ordered;
  std::vector<bool> is_taken(cards.size(), false);
  const auto take = [&](const auto& self, std::size_t i, int depth) -> void {
    if (is_taken[i]) return;
    is_taken[i] = true;
    ordered.emplace_back(&cards[i], depth);
    for (std::size_t k = 0; k < cards.size(); ++k)
      if (cards[k].parent == cards[i].folder) self(self, k, depth + 1);
  };
  const auto hasParent = [&](const RunCard& card) {
    return !card.parent.isEmpty() &&
           std::any_of(cards.begin(), cards.end(), [&](const RunCard& each) { return each.folder == card.parent; });
  };
  for (std::size_t i = 0; i < cards.size(); ++i)
    if (!hasParent(cards[i])) take(take, i, 0);
  for (std::size_t i = 0; i < cards.size(); ++i) take(take, i, 0);  // each other's parents: no record says so
  return ordered;
}

RunCatalog::RunCatalog(RecentRuns& recent, QString runs_folder, QObject* parent)
    : QObject(parent), recent_(recent), runs_folder_(std::move(runs_folder)) {
  connect(&recent_, &RecentRuns::changed, this, &RunCatalog::refresh);
}

void RunCatalog::refresh() {
  ++num_readings_;
  background_.run(
      this,
      [folders = recent_.folders(), place = runs_folder_]() mutable {
        for (const auto& entry : QDir(place).entryInfoList(QDir::Dirs | QDir::NoDotAndDotDot)) {
          const QString path = entry.absoluteFilePath();
          if (!folders.contains(path) && QFileInfo::exists(path + QStringLiteral("/config.yaml"))) folders << path;
        }
        std::vector<RunCard> cards;
        for (const auto& folder : folders) cards.push_back(readRunCard(folder));
        std::stable_sort(cards.begin(), cards.end(),
                         [](const RunCard& a, const RunCard& b) { return a.changed > b.changed; });
        return cards;
      },
      [this](std::vector<RunCard> cards) {
        if (--num_readings_ > 0) return;  // a newer reading is under way
        cards_ = std::move(cards);
        Q_EMIT changed();
      });
}

const RunCard* RunCatalog::find(const QString& folder) const {
  const auto at =
      std::find_if(cards_.begin(), cards_.end(), [&](const RunCard& card) { return card.folder == folder; });
  return at == cards_.end() ? nullptr : &*at;
}

void RunCatalog::setNotes(const QString& folder, const QString& text) {
  const auto at =
      std::find_if(cards_.begin(), cards_.end(), [&](const RunCard& card) { return card.folder == folder; });
  if (at == cards_.end() || at->notes == text) return;
  at->notes = text;
  background_.write(this, folder + QStringLiteral("/notes.txt"), text.toUtf8(), [this](const QString& problem) {
    Q_EMIT failed(tr("The notes could not be kept: %1").arg(problem));
  });
  Q_EMIT changed();
}

}  // namespace meanflow::ui
