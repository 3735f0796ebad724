// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QString>
#include <QTimer>
#include <array>
#include <chrono>
#include <memory>
#include <span>
#include <vector>

#include "core/base/events/training_event.h"
#include "core/base/metrics/metrics_store.h"
#include "ui/models/block_history.h"
#include "ui/models/derivative_words.h"
#include "ui/models/log_store.h"
#include "ui/models/residual_history.h"
#include "ui/models/run_summary.h"

namespace meanflow::ui {

/// What a panel may want to redraw for.
enum class StoreKind {
  kSummary,
  kMetrics,
  kSamples,
  kTrajectories,
  kCmtMatrix,
  kLog,
  kBlocks,
  kResiduals,
  kTimeFigures,
  kDerivative,
  kAlarms  ///< Alarms and diagnoses: in metrics().
};
inline constexpr int kNumStoreKinds = 11;

/// The events of one run folded into stores, on the UI thread. Panels read the stores and redraw on `changed`, which
/// comes at most once a frame for each kind however many events arrive, and a few times a second for steps. Where
/// events come from is a matter of the subclasses; a bare RunSource is fed by hand.
class RunSource : public QObject {
  Q_OBJECT
 public:
  static constexpr int kFrameMs = 33;
  /// Between redraws of summary and metrics for steps and pictures: with a person at the window, and without.
  static constexpr int kStepsMs = 250, kUnwatchedStepsMs = 2000;
  static constexpr std::size_t kMaxPicturesInMemory = 48;  ///< Older grids are read back from the run folder.
  /// Entries of a series while it grows; older points are folded into their extremes (at most some 25 MB a series). A
  /// record that was longer when it was opened keeps all its points, and may grow to twice as many.
  static constexpr std::size_t kMaxPointsInMemory = std::size_t{1} << 19;

  explicit RunSource(QString folder, QObject* parent = nullptr);

  const QString& folder() const { return folder_; }  ///< Absolute; event paths are relative to it.
  virtual bool isLive() const { return false; }      ///< Trained by this process.
  /// Whether a process seems to be working on the run, here or elsewhere.
  virtual bool isWorkedOn() const { return false; }
  /// What recorded it, when that was not the studio: then it can be looked at and no more. Empty: a run of the studio.
  virtual QString origin() const { return {}; }
  bool isForeign() const { return !origin().isEmpty(); }
  bool isLoading() const { return is_loading_; }       ///< The record's end has not been reached yet.
  const QString& trouble() const { return trouble_; }  ///< Why events no longer arrive; empty when all is well.

  const RunSummary& summary() const { return summary_; }
  const StepAxis& axis() const { return axis_; }
  const LogStore& log() const { return log_; }
  const base::MetricsStore& metrics() const { return metrics_; }
  /// Whether the series are condensed to their extremes: the points of a long record are still being read.
  bool isCondensed() const { return is_condensed_; }
  /// In order of arrival; those of steps voided by a resume are removed. `grid` is set for the newest few at most.
  const std::vector<base::SamplesReady>& samples() const { return samples_; }
  const std::vector<base::TrajectoryReady>& trajectories() const { return trajectories_; }
  const std::vector<base::CmtMatrixReady>& cmtMatrices() const { return cmt_matrices_; }

  const BlockHistory& blocks() const { return blocks_; }
  const ResidualHistory& residuals() const { return residuals_; }
  const ReportHistory<base::TimeFiguresReady>& timeFigures() const { return time_figures_; }
  const DerivativeHistory& derivative() const { return derivative_; }

  /// Counts the times pictures were taken back because a resume voided their steps: readers that keep a copy start
  /// over.
  int numRecalls() const { return num_recalls_; }

  /// Whether a person is there to see it: steps are shown less often otherwise.
  void setWatched(bool is_watched);
  /// In place of kMaxPointsInMemory.
  void setMaxPoints(std::size_t max_points) { max_points_ = max_points; }
  /// Folds events in and schedules `changed`. UI thread only.
  void feed(std::span<const base::EventRecord> records);

 Q_SIGNALS:
  void changed(meanflow::ui::StoreKind kind);
  void troubleChanged(const QString& trouble);  ///< Empty: the trouble is over.
  void loadingFinished();

 protected:
  /// Called once a frame while scheduled; subclasses feed what has arrived and return whether more is waiting.
  virtual bool drain() { return false; }
  void scheduleFrame();
  /// Takes what another source has folded so far, leaving it empty: a run that is continued keeps its history.
  void takeOver(RunSource& other);
  void setTrouble(const QString& trouble);
  void setLoading(bool is_loading);
  /// The series of what was fed so far at another resolution.
  void replaceSeries(base::MetricsStore::SeriesMap series);
  void markSummary() { has_only_steps_ = false, mark(StoreKind::kSummary); }

 private:
  using Clock = std::chrono::steady_clock;

  void onFrame();
  void startFrame(std::chrono::milliseconds pause, Clock::time_point since);  ///< Unless one comes sooner.
  void mark(StoreKind kind) { is_dirty_[static_cast<std::size_t>(kind)] = true; }
  void foldPictures(const base::EventRecord& record);
  void allowForRecord();  ///< As many points again as there are.

  QString folder_;
  RunSummary summary_;
  StepAxis axis_;
  LogStore log_;
  base::MetricsStore metrics_;
  std::vector<base::SamplesReady> samples_;
  std::vector<base::TrajectoryReady> trajectories_;
  std::vector<base::CmtMatrixReady> cmt_matrices_;
  BlockHistory blocks_;
  ResidualHistory residuals_;
  ReportHistory<base::TimeFiguresReady> time_figures_;
  DerivativeHistory derivative_;
  std::array<bool, kNumStoreKinds> is_dirty_{};
  QTimer frame_;
  Clock::time_point last_frame_{}, last_steps_{};
  bool has_only_steps_ = true;  ///< And pictures and the like, since summary and metrics were shown last.
  bool is_watched_ = true;
  bool is_loading_ = false;
  bool is_condensed_ = false;
  int num_recalls_ = 0;
  std::size_t max_points_ = kMaxPointsInMemory;
  QString trouble_;
};

}  // namespace meanflow::ui
