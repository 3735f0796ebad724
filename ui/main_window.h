// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QMainWindow>
#include <functional>
#include <memory>
#include <thread>

#include "core/base/run/training_host.h"
#include "ui/models/recent_runs.h"
#include "ui/models/run_catalog.h"
#include "ui/models/run_controller.h"
#include "ui/models/run_source.h"
#include "ui/window/attention.h"
#include "ui/window/run_desk.h"
#include "ui/window/workspace_layout.h"

class QSettings;
class QStackedWidget;

namespace meanflow::ui {

class Banner;
class CommandPalette;
class ConfigPanel;
class PanelSet;
class StatusLine;
class StepActions;
class StepTimeline;
class Theme;
class WelcomePage;
class WindowMenus;

/// Opens the training library and makes a host, or returns null with a sentence in `error`. Called on a thread of its
/// own.
using TrainingHostFactory = std::function<base::TrainingHost*(QString* error)>;

/// The studio's window: a welcome page, or docked panels around one run. Everything a run says comes through a
/// RunSource, everything it is told goes through the RunController, and runs are started at the RunDesk. Panels,
/// menus, layout, palette and status line are collaborators in ui/window.
class MainWindow final : public QMainWindow {
  Q_OBJECT
 public:
  using Perspective = ui::Perspective;

  MainWindow(Theme& theme, QSettings& settings, TrainingHostFactory factory, QWidget* parent = nullptr);
  ~MainWindow() override;

  /// Starts opening the training library; call once the first frame is on the screen.
  void loadTrainingLibrary();
  bool isTrainingReady() const { return host_ != nullptr; }
  void setDemoOptions(DemoOptions options) { demo_options_ = std::move(options); }

  RunSource* source() const { return source_.get(); }
  RunController& controller() { return controller_; }
  RunQueue& queue() { return desk_.queue(); }
  StepTimeline& timeline() { return *timeline_; }
  ConfigPanel& config() { return *config_; }
  CommandPalette& palette() { return *palette_; }
  StepActions& stepActions() { return *step_actions_; }
  Perspective perspective() const { return layout_->perspective(); }
  QString bannerMessage() const;
  bool hasAttention() const { return attention_.isThere(); }  ///< Somebody was at it within the last seconds.
  /// Closes without a question: a live run is stopped and saved first all the same.
  void closeQuietly();

 public Q_SLOTS:
  void openFolder(const QString& folder);
  void askOpenFolder();
  void openNewRun();  ///< The configuration of a new run, whatever is on show.
  void startDemo();   ///< As soon as the training library is there.
  void startOrContinue();
  void closeRun();
  void extend(const QString& folder, const QString& assignment);
  void setPerspective(meanflow::ui::Perspective perspective);
  void resetLayout();

 Q_SIGNALS:
  void trainingReady();

 protected:
  bool event(QEvent* event) override;
  void closeEvent(QCloseEvent* event) override;
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;

 private:
  void connectMenus();
  void connectPanels();
  void fillPalette();
  void setSource(std::unique_ptr<RunSource> source);
  void showWorkspace();
  void askExtend(const QString& folder);
  void onHostLoaded(base::TrainingHost* host, const QString& error);
  void onSourceChanged(StoreKind kind);
  void refreshActions();
  void refreshTitle();
  void say(const QString& message, bool is_error);
  void stopAndClose();

  Theme& theme_;
  QSettings& settings_;
  TrainingHostFactory factory_;
  std::jthread loader_;
  std::unique_ptr<base::TrainingHost> host_;
  QString training_problem_;
  bool is_library_loading_ = false;
  bool wants_demo_ = false;
  DemoOptions demo_options_;
  RecentRuns recent_;
  RunCatalog catalog_;
  RunDesk desk_;
  RunController controller_;
  std::unique_ptr<RunSource> source_;
  Attention attention_;

  WorkspaceLayout* layout_;
  Banner* banner_;
  QStackedWidget* pages_;
  WelcomePage* welcome_;
  StepTimeline* timeline_;
  PanelSet* panels_;
  ConfigPanel* config_;
  StatusLine* status_;
  WindowMenus* menus_ = nullptr;
  CommandPalette* palette_ = nullptr;
  StepActions* step_actions_ = nullptr;
  bool is_closing_ = false;
};

}  // namespace meanflow::ui
