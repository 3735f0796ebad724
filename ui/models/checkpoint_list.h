// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QPointer>
#include <QString>
#include <QStringList>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "core/base/run/checkpoint_files.h"
#include "ui/models/run_source.h"
#include "ui/models/studio_state.h"

namespace meanflow::ui {

/// What is known of the values inside a checkpoint.
enum class ValueHealth { kUnknown, kChecking, kFinite, kNotFinite, kUnreadable };

/// One line of the list.
struct CheckpointCard {
  base::CheckpointFacts facts;
  ValueHealth values = ValueHealth::kUnknown;
  bool was_read = false;           ///< All values were read here; otherwise its state.json vouches for them.
  QString finding;                 ///< What is wrong with the values.
  bool is_newest_healthy = false;  ///< Of its stage: training goes on from it.
  QString score;                   ///< The most telling figure of the report, in a few words; empty: none.
  QStringList scores;              ///< All of them, a line each.

  QString path() const { return QString::fromStdString(facts.relative_path); }
  bool isTeacher() const { return facts.stage == "teacher"; }
  /// Whether images can be made with it: the teacher's and the student's stages.
  bool canSample() const;
};

/// Everything that lies in the checkpoint folders of the run on show, read on another thread and again whenever the run
/// says that it saved one. UI thread.
class CheckpointList final : public QObject {
  Q_OBJECT
 public:
  explicit CheckpointList(QObject* parent = nullptr) : QObject(parent) {}
  ~CheckpointList() override;

  void setSource(RunSource* source);
  /// Stages in the order of the pipeline, newest first.
  const std::vector<CheckpointCard>& cards() const { return cards_; }
  const CheckpointCard* find(const QString& path) const;
  bool isLoading() const { return num_readings_ > 0 && !has_read_; }
  /// Why the folder can no longer be read; the cards are then those of before. Empty: all is well.
  const QString& trouble() const { return trouble_; }
  /// Whether checkpoints may be taken out of the folder.
  bool mayDelete() const { return may_delete_ && trouble_.isEmpty(); }
  std::int64_t totalBytes() const;
  QString folder() const { return source_ ? source_->folder() : QString(); }

  void refresh();
  /// Reads every value of a checkpoint, whatever its state.json says.
  void check(const QString& path);
  /// Deletes what may be deleted; `failed` says what could not be.
  void remove(const QStringList& paths);

 Q_SIGNALS:
  void changed();
  void failed(const QString& sentence);

 private:
  struct Reading;
  struct Verdict {
    ValueHealth health = ValueHealth::kUnknown;
    QString finding;
    double written_unix = 0;  ///< Of the checkpoint that was read: one written anew is another.
  };
  static Reading readFolder(const QString& folder);
  void take(Reading reading);
  void applyVerdicts();
  std::set<std::int64_t> badSteps(const std::string& stage) const;

  QPointer<RunSource> source_;
  std::vector<CheckpointCard> cards_;
  std::map<std::string, Verdict> verdicts_;  ///< By relative path.
  QString trouble_;
  bool may_delete_ = false;
  bool has_read_ = false;
  int num_readings_ = 0;
  bool is_again_wanted_ = false;
  std::uint64_t seen_revision_ = 0;
  std::shared_ptr<std::atomic<bool>> is_cancelled_ = std::make_shared<std::atomic<bool>>(false);
  Background reader_, checker_;  ///< Two, so that the list does not wait for gigabytes to be read.
};

}  // namespace meanflow::ui
