// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPointer>
#include <QTimer>
#include <QWidget>
#include <functional>

#include "core/base/run/training_host.h"
#include "ui/models/host_answer.h"
#include "ui/models/run_source.h"

class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;
class QListWidget;
class QStackedLayout;
class QToolButton;

namespace meanflow::ui {

class Banner;
class EmptyState;
class LatentChart;
class Theme;

/// The data set of the run on show, or of the settings of a new run: classes with their counts, their images as
/// training sees them, what the newest decoder makes of them beside each, and the latent statistics. The training
/// library reads; nothing is asked of it while the panel is hidden.
class DataPanel final : public QWidget {
  Q_OBJECT
 public:
  static constexpr int kImagesAPage = 60;

  explicit DataPanel(const Theme& theme, QWidget* parent = nullptr);

  void setHost(base::TrainingHost* host);  ///< Null: none. Must be told before the host goes.
  void setSource(RunSource* source);
  /// Where the settings of a new run come from, as YAML.
  void setDraft(std::function<QString()> yaml) { draft_ = std::move(yaml); }
  const base::DataAnswer& answer() const { return answer_; }

 public Q_SLOTS:
  void draftChanged();  ///< Settings of the new run are others; asks anew a moment later.

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  enum Of { kOfRun, kOfDraft };

  void buildBrowser(QWidget* page);
  bool isOfRun() const;
  void offerSources();
  void forget();
  void ask();
  void take(std::int64_t id, const base::DataAnswer& answer);
  void present();
  void presentClasses();
  void presentImages();
  void turn(int pages);
  int numOfClass() const;

  const Theme& theme_;
  HostAnswers answers_{this};
  base::TrainingHost* host_ = nullptr;
  QPointer<RunSource> source_;
  std::function<QString()> draft_;
  base::DataAnswer answer_;
  bool has_answer_ = false, is_asking_ = false;
  std::int64_t id_ = 0;
  std::int64_t label_ = 0;
  int first_ = 0;
  std::uint64_t seen_checkpoints_ = 0;
  QTimer soon_;
  Banner* banner_;
  QComboBox* of_;
  QComboBox* part_;
  QCheckBox* reconstructions_;
  QToolButton* previous_;
  QToolButton* next_;
  QLabel* range_;
  QLineEdit* search_;
  QListWidget* classes_;
  QListWidget* images_;
  QLabel* caption_;
  QLabel* latents_;
  LatentChart* chart_;
  EmptyState* empty_;
  QStackedLayout* stack_;
};

}  // namespace meanflow::ui
