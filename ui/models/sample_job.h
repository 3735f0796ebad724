// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QString>
#include <memory>
#include <optional>

#include "core/base/image.h"
#include "core/base/run/training_host.h"
#include "ui/models/sample_settings.h"

namespace meanflow::ui {

/// Carries requests for images to the training library and puts what comes back together as a grid, image by image. A
/// new request makes the one before void. UI thread; results arrive through a mailbox that outlives neither side.
class SampleJob final : public QObject {
  Q_OBJECT
 public:
  explicit SampleJob(QObject* parent = nullptr);
  ~SampleJob() override;

  void setHost(base::TrainingHost* host);  ///< Null: none. Must be told before the host goes.
  bool hasHost() const { return host_ != nullptr; }
  /// `other`: a second grid, made after the first, on the same classes and noises from other weights.
  void start(const QString& run_folder, const SampleSettings& settings, const std::optional<SampleSettings>& other);
  void cancel();
  void forget();  ///< Cancels and drops what was made: another run is on show.

  /// The grid so far; cells that have not come are grey. Null before the first image.
  std::shared_ptr<const base::Image8> grid(int which) const { return grids_[which]; }
  const SampleSettings& settings() const { return settings_[0]; }
  bool isBusy() const { return is_busy_; }
  int numDone() const { return num_done_; }
  int numWanted() const { return num_wanted_; }
  double firstMs() const { return first_ms_; }  ///< Until the first image; < 0 before.
  double totalMs() const { return total_ms_; }  ///< Until the last image of the first grid; < 0 before.

 Q_SIGNALS:
  void changed();
  void failed(const QString& sentence);

 private:
  struct Mailbox;
  void ask(int which);
  void take();
  void put(int which, const base::SampleResult& result);

  base::TrainingHost* host_ = nullptr;
  std::shared_ptr<Mailbox> mailbox_;
  QString run_folder_;
  SampleSettings settings_[2];
  bool has_other_ = false;
  std::shared_ptr<const base::Image8> grids_[2];
  std::shared_ptr<base::Image8> drawn_;  ///< The grid in work.
  int which_ = 0;
  std::int64_t id_ = 0;
  bool is_busy_ = false;
  int num_done_ = 0, num_wanted_ = 0;
  double first_ms_ = -1, total_ms_ = -1;
};

}  // namespace meanflow::ui
