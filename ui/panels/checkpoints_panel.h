// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QUrl>
#include <QWidget>
#include <functional>

#include "core/base/run/training_host.h"
#include "ui/models/checkpoint_list.h"

class QAction;
class QLabel;
class QStackedLayout;
class QToolButton;
class QTreeWidget;
class QTreeWidgetItem;

namespace meanflow::ui {

class Banner;
class EmptyState;
class Theme;

/// The checkpoints of the run on show, of all stages: what they hold, whether it is finite, how it scored; images made
/// with one, two compared, one written for other programs, old ones deleted.
class CheckpointsPanel final : public QWidget {
  Q_OBJECT
 public:
  explicit CheckpointsPanel(const Theme& theme, QWidget* parent = nullptr);
  ~CheckpointsPanel() override;

  void setHost(base::TrainingHost* host);  ///< Null: nothing can be sampled or exported. Must be told before it goes.
  void setSource(RunSource* source);
  CheckpointList& list() { return list_; }
  QString message() const;  ///< Of the banner; empty when it is hidden.
  /// In place of the desktop's file manager.
  void setOpenUrl(std::function<bool(const QUrl&)> open) { open_url_ = std::move(open); }

 public Q_SLOTS:
  void askExport();
  void askDelete();

 Q_SIGNALS:
  void sampleRequested(const QString& path);
  void compareRequested(const QString& first, const QString& second);  ///< The older one first.
  void branchRequested(const QString& stage, qint64 step);

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  QAction* addAction(const char* icon, const QString& name, const QString& tip, const QKeySequence& key,
                     void (CheckpointsPanel::*act)());
  void branch();
  void sample();
  void compare();
  void check();
  void reveal();
  void copyPath();
  void present();
  void presentItem(QTreeWidgetItem* item, const CheckpointCard& card);
  void presentEmpty();
  void refreshActions();
  void startExport(const base::ExportOrder& order);
  std::vector<const CheckpointCard*> chosen() const;
  QString absolutePath(const CheckpointCard& card) const;

  struct ExportMail;
  const Theme& theme_;
  CheckpointList list_;
  RunSource* source_ = nullptr;
  base::TrainingHost* host_ = nullptr;
  std::shared_ptr<ExportMail> mail_;
  bool is_exporting_ = false;
  std::function<bool(const QUrl&)> open_url_;
  Banner* banner_;
  QTreeWidget* tree_;
  EmptyState* empty_;
  QStackedLayout* stack_;
  QLabel* summary_;
  QAction* branch_;
  QAction* sample_;
  QAction* compare_;
  QAction* export_;
  QAction* check_;
  QAction* reveal_;
  QAction* copy_;
  QAction* delete_;
  std::vector<QToolButton*> buttons_;
};

}  // namespace meanflow::ui
