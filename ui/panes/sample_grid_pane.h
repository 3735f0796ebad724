// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ui/panes/image_store.h"
#include "ui/panes/imgui_widget.h"
#include "ui/panes/sample_grid_list.h"
#include "ui/panes/view_transform.h"

namespace meanflow::ui {

/// Live one-step samples: wheel zooms about the cursor to the pixel, drag pans, double click or F fits, a slider goes
/// through every grid saved and "live" follows the newest. Two kinds on the same noise side by side, or two steps under
/// a wipe. Images given by path are read on a worker thread; pictures in memory and in GL are bounded.
///
/// Keys: Left/Right step, Home/End first and newest, L live, K kind, S stage, C comparison, F fit, +/- zoom,
/// Up/Down scroll, Shift+Left/Right move the wipe. Item names: "stage", "kind", "compare", "kind_b", "fit", "live",
/// "previous", "next", "step", "step_b", "image", "image_b", "labels", "wipe", "info", "help".
class SampleGridPane final : public ImGuiWidget {
  Q_OBJECT
 public:
  enum class Compare { kOff, kSideBySide, kWipe };

  explicit SampleGridPane(ImageLoader loader = {}, QWidget* parent = nullptr);
  ~SampleGridPane() override;

  void setLoader(ImageLoader loader);                     ///< Another run folder; forgets every picture.
  void setEntries(std::vector<SampleGridEntry> entries);  ///< In order of the event stream.
  void addEntry(SampleGridEntry entry);                   ///< The newest grid.
  const std::vector<SampleGridEntry>& entries() const { return grids_.entries(); }
  /// What to say while there is no grid, e.g. why a recorded run has none. Empty: the usual advice.
  void setEmptyText(const QString& text);
  void setMemoryBudget(qint64 texture_bytes, std::size_t image_bytes);

  bool isLive() const { return is_live_; }
  Compare compare() const { return compare_; }
  double zoom() const { return view_.zoom; }   ///< Widget pixels per image pixel.
  const SampleGridEntry* shown() const;        ///< Null while empty.
  const SampleGridEntry* shownBeside() const;  ///< The second picture of a comparison, or null.

 public Q_SLOTS:
  void setStep(const QString& stage, qint64 step);  ///< Shows the newest grid at or before; ends live. No signal.
  void setLive(bool is_live);
  void setCompare(Compare compare);
  void fit();

 Q_SIGNALS:
  void stepPicked(const QString& stage, qint64 step);  ///< The person chose another grid.
  void liveChanged(bool is_live);
  void cellActivated(int row, int column);  ///< A click on a cell.

 protected:
  void draw() override;

 private:
  using Kind = SampleGridKind;
  /// One picture of the pane in this frame.
  struct Picture {
    const SampleGridEntry* entry = nullptr;
    std::shared_ptr<const base::Image8> image;  // may be the one shown before, while the new one loads
    QRectF area;
    QRectF clip;   // the part of `area` that is its own under a wipe
    QString name;  // of the item
  };
  void absorb(SampleGridEntry entry);
  int besideIndex() const;
  void follow();
  void showEntry(int index, bool by_person);
  void stepBy(int offset);
  void pick(int index);  // by the person
  void chooseStage(const std::string& stage);
  void chooseKind(const Kind& kind);
  void cycle(bool is_stage);
  void zoomBy(double factor);
  void scrollBy(double rows);
  void drawTools();
  void drawStepBars();
  void drawPictures(const QRectF& area);
  void drawPicture(Picture& picture, std::shared_ptr<const base::Image8>& kept);
  void handleMouse(const Picture& picture, bool is_hovered, bool is_active);
  double fitZoom() const;
  QSizeF imageSize() const;

  std::unique_ptr<ImageStore> store_;
  SampleGridList grids_;
  QString empty_text_;
  std::size_t image_budget_ = std::size_t{192} << 20;
  int shown_ = -1;
  Kind kind_{"one_step", 1, true};  // wanted; what is shown may differ where a stage has no such grid
  std::optional<Kind> kind_b_;      // wanted beside; empty until chosen: the teacher if there is one
  int step_b_ = -1;                 // entry under the wipe's right side, -1: the first of the kind
  Compare compare_ = Compare::kOff;
  double wipe_ = 0.5;
  bool is_dragging_wipe_ = false;
  bool has_moved_ = false;  // since the button went down
  bool is_live_ = true;
  bool is_fitted_ = true;  // stays fitted when the pane or the picture changes size
  ViewTransform view_;
  QRectF area_;                                        // of the first picture, in the last frame
  std::shared_ptr<const base::Image8> kept_, kept_b_;  // drawn while the next ones load
};

}  // namespace meanflow::ui
