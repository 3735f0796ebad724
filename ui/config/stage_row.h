// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QWidget>
#include <vector>

#include "core/base/config/run_config.h"

class QGridLayout;
class QMenu;
class QToolButton;

namespace meanflow::ui {

class Theme;

/// The stages of a new run in a line, a button each: trained for so many steps, or taken from a checkpoint. Its menu
/// says which, and leads to the stage's settings.
class StageRow final : public QWidget {
  Q_OBJECT
 public:
  explicit StageRow(const Theme& theme, QWidget* parent = nullptr);
  void present(const base::RunConfig& config);
  QToolButton* button(const std::string& stage) const;  ///< Null when the run has no such stage.

 Q_SIGNALS:
  /// `what`: a stage, or "statistics" for the decoder's latent statistics.
  void checkpointWanted(const QString& what, bool is_folder);
  void trainingWanted(const QString& what);  ///< Forget the checkpoint.
  void settingsWanted(const QString& section);

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  struct Entry {
    std::string stage;
    QToolButton* button = nullptr;
    QMenu* menu = nullptr;
  };
  void rebuild(const std::vector<std::string>& stages);
  void fillMenu(const Entry& entry, const base::RunConfig& config);
  void arrange();

  const Theme& theme_;
  QGridLayout* grid_;
  std::vector<Entry> entries_;
  std::vector<std::string> stages_;
  int num_columns_ = 0;
};

}  // namespace meanflow::ui
