// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/run_queue.h"

#include <QFile>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QUuid>
#include <algorithm>
#include <utility>

namespace meanflow::ui {
namespace {

constexpr const char* kStates[] = {"waiting", "running", "done", "failed"};

QString queuePath() { return stateFolder() + QStringLiteral("/queue.json"); }

QString newId() { return QUuid::createUuid().toString(QUuid::WithoutBraces); }

}  // namespace

RunQueue::RunQueue(QObject* parent) : QObject(parent) {}

const QueuedRun* RunQueue::next() const {
  const auto at = std::find_if(runs_.begin(), runs_.end(),
                               [](const QueuedRun& run) { return run.state == QueuedRun::State::kWaiting; });
  return at == runs_.end() ? nullptr : &*at;
}

const QueuedRun* RunQueue::running() const {
  const auto at = std::find_if(runs_.begin(), runs_.end(),
                               [](const QueuedRun& run) { return run.state == QueuedRun::State::kRunning; });
  return at == runs_.end() ? nullptr : &*at;
}

int RunQueue::numWaiting() const {
  return static_cast<int>(std::count_if(runs_.begin(), runs_.end(),
                                        [](const QueuedRun& run) { return run.state == QueuedRun::State::kWaiting; }));
}

QueuedRun* RunQueue::find(const QString& id) {
  const auto at = std::find_if(runs_.begin(), runs_.end(), [&](const QueuedRun& run) { return run.id == id; });
  return at == runs_.end() ? nullptr : &*at;
}

void RunQueue::touch() {
  // Before the old queue has been read nothing is written over it.
  if (is_loaded_) {
    background_.write(this, queuePath(), toJson(), [this](const QString& problem) {
      Q_EMIT failed(tr("The queue could not be kept: %1").arg(problem));
    });
  }
  Q_EMIT changed();
}

void RunQueue::load() {
  background_.run(
      this,
      [path = queuePath()] {
        QFile file(path);
        return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
      },
      [this](const QByteArray& json) {
        auto added_meanwhile = std::exchange(runs_, {});
        fromJson(json);
        std::move(added_meanwhile.begin(), added_meanwhile.end(), std::back_inserter(runs_));
        is_loaded_ = true;
        touch();
        Q_EMIT loaded();
      });
}

void RunQueue::setGoing(bool is_going) {
  if (is_going == is_going_) return;
  is_going_ = is_going;
  Q_EMIT changed();
}

void RunQueue::add(const QString& name, const QString& folder, const QString& yaml) {
  QueuedRun run{.id = newId(), .name = name, .folder = folder};
  run.config = stateFolder() + QStringLiteral("/queue/") + run.id + QStringLiteral(".yaml");
  background_.write(this, run.config, yaml.toUtf8(), [this](const QString& problem) {
    Q_EMIT failed(tr("The configuration of a queued run could not be kept: %1").arg(problem));
  });
  runs_.push_back(std::move(run));
  touch();
}

void RunQueue::addContinuation(const QString& folder, const QStringList& overrides) {
  runs_.push_back({.id = newId(),
                   .name = QFileInfo(folder).fileName(),
                   .folder = folder,
                   .overrides = overrides,
                   .remark = overrides.join(QStringLiteral(", "))});
  touch();
}

void RunQueue::addBranch(const base::RunRequest& request) {
  const QString folder = QString::fromStdString(request.run_folder);
  QueuedRun run{.id = newId(), .name = QFileInfo(folder).fileName(), .folder = folder};
  for (const auto& text : request.overrides) run.overrides << QString::fromStdString(text);
  run.branch = request.branch;
  run.remark = run.overrides.join(QStringLiteral(", "));
  runs_.push_back(std::move(run));
  touch();
}

void RunQueue::remove(const QString& id) {
  const auto* run = find(id);
  if (!run || run->state == QueuedRun::State::kRunning) return;
  if (!run->config.isEmpty()) {
    background_.run(
        this, [path = run->config] { return QFile::remove(path); }, [](bool) {});
  }
  std::erase_if(runs_, [&](const QueuedRun& each) { return each.id == id; });
  touch();
}

void RunQueue::move(const QString& id, int rows) {
  const auto at = std::find_if(runs_.begin(), runs_.end(), [&](const QueuedRun& run) { return run.id == id; });
  if (at == runs_.end()) return;
  const auto from = at - runs_.begin();
  const auto to = std::clamp<std::ptrdiff_t>(from + rows, 0, static_cast<std::ptrdiff_t>(runs_.size()) - 1);
  if (to == from) return;
  if (to < from)
    std::rotate(runs_.begin() + to, runs_.begin() + from, runs_.begin() + from + 1);
  else
    std::rotate(runs_.begin() + from, runs_.begin() + from + 1, runs_.begin() + to + 1);
  touch();
}

void RunQueue::retry(const QString& id) {
  auto* run = find(id);
  if (!run || run->state == QueuedRun::State::kRunning) return;
  run->state = QueuedRun::State::kWaiting;
  run->remark.clear();
  touch();
}

void RunQueue::markRunning(const QString& id) {
  auto* run = find(id);
  if (!run) return;
  run->state = QueuedRun::State::kRunning;
  run->remark.clear();
  touch();
}

void RunQueue::markEnded(const QString& id, bool is_done, const QString& remark) {
  auto* run = find(id);
  if (!run) return;
  run->state = is_done ? QueuedRun::State::kDone : QueuedRun::State::kFailed;
  run->remark = remark;
  touch();
}

QByteArray RunQueue::toJson() const {
  QJsonArray list;
  for (const auto& run : runs_) {
    QJsonObject entry{{QStringLiteral("id"), run.id},
                      {QStringLiteral("name"), run.name},
                      {QStringLiteral("folder"), run.folder},
                      {QStringLiteral("config"), run.config},
                      {QStringLiteral("overrides"), QJsonArray::fromStringList(run.overrides)},
                      {QStringLiteral("state"), QLatin1String(kStates[static_cast<int>(run.state)])},
                      {QStringLiteral("remark"), run.remark}};
    if (run.branch) {
      entry.insert(QStringLiteral("branch"),
                   QJsonObject{{QStringLiteral("parent"), QString::fromStdString(run.branch->parent)},
                               {QStringLiteral("stage"), QString::fromStdString(run.branch->stage)},
                               {QStringLiteral("step"), static_cast<qint64>(run.branch->step)}});
    }
    list.append(entry);
  }
  return QJsonDocument(QJsonObject{{QStringLiteral("version"), 1}, {QStringLiteral("runs"), list}}).toJson();
}

void RunQueue::fromJson(const QByteArray& json) {
  const auto object = QJsonDocument::fromJson(json).object();
  for (const auto& value : object.value(QStringLiteral("runs")).toArray()) {
    const auto entry = value.toObject();
    QueuedRun run{.id = entry.value(QStringLiteral("id")).toString(),
                  .name = entry.value(QStringLiteral("name")).toString(),
                  .folder = entry.value(QStringLiteral("folder")).toString(),
                  .config = entry.value(QStringLiteral("config")).toString(),
                  .remark = entry.value(QStringLiteral("remark")).toString()};
    for (const auto& text : entry.value(QStringLiteral("overrides")).toArray()) run.overrides << text.toString();
    if (const auto branch = entry.value(QStringLiteral("branch")).toObject(); !branch.isEmpty()) {
      run.branch = base::BranchPoint{branch.value(QStringLiteral("parent")).toString().toStdString(),
                                     branch.value(QStringLiteral("stage")).toString().toStdString(),
                                     branch.value(QStringLiteral("step")).toInteger()};
    }
    const auto state = entry.value(QStringLiteral("state")).toString();
    for (int i = 0; i < 4; ++i) {
      if (state == QLatin1String(kStates[i])) run.state = static_cast<QueuedRun::State>(i);
    }
    if (run.id.isEmpty() || run.folder.isEmpty()) continue;
    if (run.state == QueuedRun::State::kRunning) {
      run.state = QueuedRun::State::kWaiting;
      run.remark = tr("was interrupted; goes on from its last checkpoint");
    }
    runs_.push_back(std::move(run));
  }
}

}  // namespace meanflow::ui
