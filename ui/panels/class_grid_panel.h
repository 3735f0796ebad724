// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPointer>
#include <QTemporaryDir>
#include <QTimer>
#include <QWidget>
#include <memory>

#include "ui/models/run_source.h"
#include "ui/models/sample_job.h"
#include "ui/models/studio_state.h"

class QLabel;
class QMimeData;

namespace meanflow::ui {

class Banner;
class ClassGridControls;
class ComparePane;
class DragButton;
class Theme;

/// Images on request, of the run on show: classes, noises, steps and weights of a person's choice, made by the training
/// library beside training or from a record. Changes are drawn as they are made; a newer one makes the older void.
class ClassGridPanel final : public QWidget {
  Q_OBJECT
 public:
  explicit ClassGridPanel(const Theme& theme, QWidget* parent = nullptr);
  ~ClassGridPanel() override;

  void setHost(base::TrainingHost* host);
  void setSource(RunSource* source);
  ClassGridControls& controls() { return *controls_; }
  void setSettings(const SampleSettings& settings);
  /// Draws from one checkpoint, and with a second one beside it under the wipe, everything else as it is.
  void useCheckpoints(const QString& checkpoint, const QString& compare_with);
  /// Draws one class alone, everything else as it is.
  void showClass(std::int64_t label);
  SampleJob& job() { return job_; }
  ComparePane& pane() { return *pane_; }
  /// The grid with all that made it in its texts.
  base::Result<void> savePng(const QString& path) const;
  /// What is dragged out or copied: the picture, and a file with its settings inside. Null without a grid.
  std::unique_ptr<QMimeData> dragData();
  /// Takes up the settings inside a PNG that savePng() or `meanflow sample` wrote.
  bool restoreFrom(const QString& path);

 public Q_SLOTS:
  void make();  ///< Now.
  void askSave();

 protected:
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;

 private:
  void lookForCheckpoints();
  void present();
  QString captionOf(const SampleSettings& settings) const;
  QStringList rowLabels(const SampleSettings& settings) const;
  QString runName() const;

  QPointer<RunSource> source_;
  SampleJob job_;
  QTimer soon_;
  std::uint64_t seen_checkpoints_ = 0;
  ClassGridControls* controls_;
  Banner* banner_;
  QLabel* status_;
  ComparePane* pane_;
  DragButton* drag_;
  QTemporaryDir dragged_;  ///< Files that were dragged out; whoever took one may read it until the window closes.
  int num_dragged_ = 0;
  Background background_;
};

}  // namespace meanflow::ui
