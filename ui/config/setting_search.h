// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QWidget>
#include <cstddef>
#include <vector>

#include "core/base/config/config_io.h"

class QLineEdit;
class QListWidget;

namespace meanflow::ui {

class Theme;

/// The settings whose name has the letters of `text` in order ("tea lr"), best first, then those whose help has the
/// words; at most `num_most`. Points into `docs`.
std::vector<const base::FieldDoc*> findSettings(const std::vector<base::FieldDoc>& docs, const QString& text,
                                                std::size_t num_most);

/// A line to type a few letters of a setting into; what is found is listed below it. Up and Down choose, Enter or a
/// click picks, Escape clears.
class SettingSearch final : public QWidget {
  Q_OBJECT
 public:
  SettingSearch(const Theme& theme, const QString& prompt, QWidget* parent = nullptr);

  QLineEdit& line() { return *line_; }
  QListWidget& list() { return *list_; }

 Q_SIGNALS:
  void picked(const QString& key);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  static constexpr std::size_t kNumMost = 12;
  void refresh();
  void pick();

  std::vector<base::FieldDoc> docs_;
  QLineEdit* line_;
  QListWidget* list_;
};

}  // namespace meanflow::ui
