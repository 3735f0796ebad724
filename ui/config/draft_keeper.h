// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QTimer>

#include "ui/models/studio_state.h"

namespace meanflow::ui {

class ConfigDraft;

/// Keeps the draft of a new run on disk (stateFolder()/draft.json) a moment after every edit, so that nothing typed is
/// lost when the studio ends, however it ends. Name and folder of the run travel with it.
class DraftKeeper final : public QObject {
  Q_OBJECT
 public:
  static constexpr int kDelayMs = 250;

  explicit DraftKeeper(ConfigDraft& draft, QObject* parent = nullptr);
  ~DraftKeeper() override;  ///< Writes what is not written yet.

  /// Reads the draft that was left, if any, and says so by loaded().
  void load();
  void setPlace(const QString& name, const QString& folder);
  const QString& name() const { return name_; }
  const QString& folder() const { return folder_; }
  static QString path();

 Q_SIGNALS:
  void loaded(bool was_there);
  void failed(const QString& sentence);  ///< The draft could not be written.

 private:
  void write();

  ConfigDraft& draft_;
  QString name_, folder_;
  bool is_loaded_ = false;
  QTimer timer_;
  Background background_;
};

}  // namespace meanflow::ui
