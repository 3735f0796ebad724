// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/events/training_event.h"
#include "ui/panes/image_store.h"
#include "ui/panes/imgui_widget.h"
#include "ui/panes/view_transform.h"

namespace meanflow::ui {

/// One saved grid: a row a class, the same noise at every step. Cells are width/columns by height/rows pixels.
struct SampleGridEntry {
  std::string stage;
  std::int64_t step = 0;
  std::string what;    ///< "one_step", "two_step", "teacher", "reconstruction".
  int nfe = 1;
  bool is_ema = true;
  int rows = 0, columns = 0;
  std::shared_ptr<const std::vector<std::string>> row_labels;  ///< Shared by the grids of a run; may be null.
  std::string path;    ///< Handed to the loader when `image` is absent.
  std::shared_ptr<const base::Image8> image;
  double cost_ms = 0;  ///< What making it took from training.
};

/// The entry of an event; `previous` (may be null) lends its labels when they are the same.
SampleGridEntry sampleGridEntry(const base::SamplesReady& event, const SampleGridEntry* previous = nullptr);

/// Live one-step samples: wheel zooms about the cursor to the pixel, drag pans, double click or F fits, a slider goes
/// through every grid saved and "live" follows the newest. Two kinds on the same noise side by side, or two steps under
/// a wipe. Images given by path are read on a worker thread; pictures in memory and in GL are bounded.
///
/// Keys: Left/Right step, Home/End first and newest, L live, K kind, S stage, C comparison, F fit, +/- zoom,
/// Up/Down scroll. Item names: "stage", "kind", "compare", "kind_b", "fit", "live", "previous", "next", "step", "step_b",
/// "image", "image_b", "labels", "wipe", "info".
class SampleGridPane final : public ImGuiWidget {
  Q_OBJECT
 public:
  enum class Compare { kOff, kSideBySide, kWipe };

  explicit SampleGridPane(ImageLoader loader = {}, QWidget* parent = nullptr);
  ~SampleGridPane() override;

  void setLoader(ImageLoader loader);                       ///< Another run folder; forgets every picture.
  void setEntries(std::vector<SampleGridEntry> entries);    ///< In order of the event stream.
  void addEntry(SampleGridEntry entry);                     ///< The newest grid.
  const std::vector<SampleGridEntry>& entries() const { return entries_; }
  /// What to say while there is no grid, e.g. why a recorded run has none. Empty: the usual advice.
  void setEmptyText(const QString& text);
  void setMemoryBudget(qint64 texture_bytes, std::size_t image_bytes);

  bool isLive() const { return is_live_; }
  Compare compare() const { return compare_; }
  double zoom() const { return view_.zoom; }                ///< Widget pixels per image pixel.
  const SampleGridEntry* shown() const;                     ///< Null while empty.
  const SampleGridEntry* shownBeside() const;               ///< The second picture of a comparison, or null.

 public Q_SLOTS:
  void setStep(const QString& stage, qint64 step);  ///< Shows the newest grid at or before; ends live. No signal.
  void setLive(bool is_live);
  void setCompare(Compare compare);
  void fit();

 Q_SIGNALS:
  void stepPicked(const QString& stage, qint64 step);  ///< The person chose another grid.
  void liveChanged(bool is_live);
  void cellActivated(int row, int column);             ///< A click on a cell.

 protected:
  void draw() override;
  bool keyPressed(int key, Qt::KeyboardModifiers modifiers) override;

 private:
  struct Kind {
    std::string what;
    int nfe = 1;
    bool is_ema = true;
    bool operator==(const Kind&) const = default;
  };
  static Kind kindOf(const SampleGridEntry& entry) { return {entry.what, entry.nfe, entry.is_ema}; }
  QString kindText(const Kind& kind) const;
  void indexEntry(std::size_t index);
  std::vector<int> indicesOf(const std::string& stage, const Kind& kind) const;
  int findAtOrBefore(const std::string& stage, const Kind& kind, std::int64_t step) const;
  int besideIndex() const;
  void follow();
  void show(int index, bool by_person);
  void stepBy(int offset);
  void stepTo(std::size_t position);
  void chooseStage(const std::string& stage);
  void chooseKind(const Kind& kind);
  void cycleKind();
  void cycleStage();
  void drawTools();
  void drawStepBar();
  void drawInfo();
  void drawEmpty();
  void drawPictures();
  struct Picture;
  void drawPicture(const Picture& picture);
  void drawLabels(const SampleGridEntry& entry, const QRectF& column, const QRectF& area, double cell_height);
  void drawHover(const SampleGridEntry& entry, const base::Image8* image, double x, double y);

  std::unique_ptr<ImageStore> store_;
  std::vector<SampleGridEntry> entries_;
  std::vector<std::string> stages_;  // in order of appearance
  std::vector<Kind> kinds_;
  QString empty_text_;
  int shown_ = -1;
  std::string stage_;                // wanted; shown_ follows
  Kind kind_{"one_step", 1, true};
  Kind kind_b_{"teacher", 0, true};
  int step_b_ = -1;                  // entry under the wipe's right side
  Compare compare_ = Compare::kOff;
  double wipe_ = 0.5;
  bool is_dragging_wipe_ = false;
  bool is_dragging_ = false;
  bool is_live_ = true;
  bool wants_fit_ = true;
  bool is_fitted_ = true;            // stays fitted when the pane is resized until the person zooms or pans
  ViewTransform view_;
};

}  // namespace meanflow::ui
