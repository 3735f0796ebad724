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
/// "path", "speed", "error", "info".
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
  bool keyPressed(int key, Qt::KeyboardModifiers modifiers) override;

 private:
  void indexEntries();
  std::vector<int> indicesOf(int label) const;
  void show(int index, bool by_person);
  void chooseLabel(int label);
  void stepBy(int offset);
  void advance();
  int numKnots() const;
  void drawTools();
  void drawStepBar();
  void drawFilm(const QRectF& area);
  void drawFrame(const QRectF& area);
  void drawPath(const QRectF& area);
  void drawCurve(const QRectF& area, const QString& name, const QString& title, const std::vector<float>& values,
                 bool from_zero);
  void drawInfo();

  std::unique_ptr<ImageStore> store_;
  std::vector<base::TrajectoryReady> entries_;
  std::vector<int> labels_;   // in order of appearance
  QString empty_text_;
  int shown_ = -1;
  int label_ = 0;
  int knot_ = 0;
  bool is_live_ = true;
  QTimer timer_;
};

}  // namespace meanflow::ui
