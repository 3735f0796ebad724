// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config/draft_keeper.h"

#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>

#include "ui/config/config_draft.h"

namespace meanflow::ui {

DraftKeeper::DraftKeeper(ConfigDraft& draft, QObject* parent) : QObject(parent), draft_(draft) {
  timer_.setSingleShot(true);
  timer_.setInterval(kDelayMs);
  connect(&timer_, &QTimer::timeout, this, &DraftKeeper::write);
  const auto soon = [this] {
    if (is_loaded_) timer_.start();
  };
  connect(&draft_, &ConfigDraft::edited, this, soon);
  connect(&draft_, &ConfigDraft::replaced, this, soon);
  connect(&draft_, &ConfigDraft::baselineChanged, this, soon);
}

DraftKeeper::~DraftKeeper() {
  if (timer_.isActive()) write();
}

QString DraftKeeper::path() { return stateFolder() + QStringLiteral("/draft.json"); }

void DraftKeeper::load() {
  background_.run(
      this,
      [path = path()] {
        QFile file(path);
        return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
      },
      [this](const QByteArray& json) {
        if (is_loaded_) return;
        const bool was_there = !json.isEmpty() && draft_.fromJson(json);
        if (was_there) {
          const auto object = QJsonDocument::fromJson(json).object();
          name_ = object.value(QStringLiteral("name")).toString();
          folder_ = object.value(QStringLiteral("folder")).toString();
        }
        is_loaded_ = true;
        Q_EMIT loaded(was_there);
      });
}

void DraftKeeper::setPlace(const QString& name, const QString& folder) {
  if (name == name_ && folder == folder_) return;
  name_ = name;
  folder_ = folder;
  if (is_loaded_) timer_.start();
}

void DraftKeeper::write() {
  timer_.stop();
  auto object = QJsonDocument::fromJson(draft_.toJson()).object();
  object.insert(QStringLiteral("name"), name_);
  object.insert(QStringLiteral("folder"), folder_);
  background_.write(this, path(), QJsonDocument(object).toJson(), [this](const QString& problem) {
    Q_EMIT failed(tr("The draft of the new run could not be kept: %1").arg(problem));
  });
}

}  // namespace meanflow::ui
