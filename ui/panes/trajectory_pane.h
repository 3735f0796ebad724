// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QTimer>
#include <memory>
#include <vector>

#include "core/base/events/training_event.h"
#include "ui/panes/image_store.h"
#include "ui/panes/imgui_widget.h"

namespace meanflow::ui {

/// Trajectory theatre: the teacher's path from noise (t = 1) to image (t = 0) as a film strip of decoded knots with a
/// scrubber; the path in its first two principal components with the student's jump from every knot and where it lands;
/// speed |v| and the jump's error over t. One noise and class at a time, any step that was saved.
///
/// Keys: Left/Right knot, Home/End first and last knot, Space play or pause, Ctrl+Left/Right step of the run, L live,
/// C next class. Item names: "class", "play", "back", "forward", "live", "previous", "next", "step", "film", "frame",
/// "path", "speed", "error", "scrub", "info", "help".
class TrajectoryPane final : public ImGuiWidget {
  Q_OBJECT
 public:
  explicit TrajectoryPane(ImageLoader loader = {}, QWidget* parent = nullptr);
  ~TrajectoryPane() override;

  void setLoader(ImageLoader loader);
  void setEntries(std::vector<base::TrajectoryReady> entries);  ///< In order of the event stream.
  void addEntry(base::TrajectoryReady entry);
  void setEmptyText(const QString& text);

  const base::TrajectoryReady* shown() const;
  int knot() const { return knot_; }
  bool isPlaying() const { return timer_.isActive(); }
  bool isLive() const { return is_live_; }

 public Q_SLOTS:
  void setKnot(int knot);
  void play();
  void pause();
  void setStep(const QString& stage, qint64 step);  ///< Shows the newest trajectory at or before; ends live. No signal.
  void setLive(bool is_live);

 Q_SIGNALS:
  void stepPicked(const QString& stage, qint64 step);
  void liveChanged(bool is_live);
  void knotChanged(int knot);

 protected:
  void draw() override;

 private:
  void absorb(base::TrajectoryReady entry);
  std::vector<int> indicesOf(int label) const;
  int newestOf(int label) const;
  QString labelText(int label) const;
  void follow();
  void showEntry(int index, bool by_person);
  void pick(int index);
  void chooseLabel(int label);
  void stepBy(int offset);
  void advance();
  int numKnots() const;
  void findFrames();
  void drawTools();
  void drawFilm(const QRectF& area);
  void drawKnotFrame(int knot, const QRectF& target, const QRectF& clip);
  void drawFrame(const QRectF& area);
  QString knotText(int knot) const;

  std::unique_ptr<ImageStore> store_;
  std::vector<base::TrajectoryReady> entries_;
  std::vector<int> labels_;  // in order of appearance
  QString empty_text_;
  int shown_ = -1;
  int label_ = -1;  // class wanted; -1: that of the newest
  int knot_ = 0;
  bool is_live_ = true;
  QTimer timer_;
  std::shared_ptr<const base::Image8> frames_;  // of the trajectory shown, or of the one before while it loads
  QString frames_problem_;
};

}  // namespace meanflow::ui
