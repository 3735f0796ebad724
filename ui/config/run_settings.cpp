// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config/run_settings.h"

#include <QFileInfo>
#include <ranges>

#include "core/base/config/config_io.h"
#include "ui/theme/format.h"

namespace meanflow::ui {

RunSettings::RunSettings(QObject* parent) : QObject(parent) {}

void RunSettings::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  newest_.reset();
  problem_.clear();
  cursor_ = {};
  is_live_ = true;
  ++reading_;
  if (source_) {
    seen_settings_ = source_->metrics().revisions().settings;
    seen_runs_ = source_->metrics().revisions().run;
    connect(source_, &RunSource::changed, this, [this](StoreKind kind) {
      if (kind != StoreKind::kMetrics) return;
      const auto& revisions = source_->metrics().revisions();
      if (seen_settings_ == revisions.settings && seen_runs_ == revisions.run && newest_) return;
      seen_settings_ = revisions.settings;
      seen_runs_ = revisions.run;
      read();
    });
    read();
  }
  Q_EMIT changed();
}

void RunSettings::read() {
  const int reading = ++reading_;
  if (source_->isForeign()) {
    problem_ = tr("This run was recorded by another program; the studio does not read its settings.");
    return;
  }
  const std::string path = (source_->folder() + QStringLiteral("/config.yaml")).toStdString();
  background_.run(
      this, [path] { return base::loadConfig(path); },
      [this, reading](base::Result<base::RunConfig> config) {
        if (reading != reading_) return;
        if (config.ok()) {
          newest_ = std::move(*config);
          problem_.clear();
        } else if (!newest_) {
          problem_ = QString::fromStdString(config.error().message);
        }
        derive();
      });
}

void RunSettings::setCursor(const QString& stage, qint64 step, bool is_live) {
  const bool was_live = is_live_;
  cursor_ = {stage.toStdString(), step};
  is_live_ = is_live;
  if (!(was_live && is_live)) derive();  // a live cursor moves with every step; the settings do not
}

bool RunSettings::isAfterCursor(const base::SettingChanged& change) const {
  if (is_live_ || !source_) return false;
  const auto& axis = source_->axis();
  // A change taken when k steps were done holds from step k + 1 on.
  return axis.position(change.stage, change.step) >= axis.position(cursor_.stage, cursor_.step);
}

void RunSettings::derive() {
  if (newest_ && source_) {
    in_force_ = *newest_;
    for (const auto& change : source_->metrics().settings() | std::views::reverse) {
      if (!isAfterCursor(change.event)) continue;
      [[maybe_unused]] const auto undone = base::setValue(in_force_, change.event.key, change.event.old_value);
    }
  }
  Q_EMIT changed();
}

std::optional<base::SettingChanged> RunSettings::lastChange(const std::string& key) const {
  if (!source_) return std::nullopt;
  for (const auto& change : source_->metrics().settings() | std::views::reverse) {
    if (change.event.key == key && !isAfterCursor(change.event)) return change.event;
  }
  return std::nullopt;
}

QString RunSettings::runName() const {
  if (!source_) return {};
  const auto& name = source_->summary().run_name;
  return name.empty() ? QFileInfo(source_->folder()).fileName() : QString::fromStdString(name);
}

QString RunSettings::cursorText() const {
  return is_live_ || cursor_.stage.empty()
             ? tr("now")
             : tr("at step %1 of %2").arg(formatCount(cursor_.step), stageTitle(cursor_.stage));
}

}  // namespace meanflow::ui
