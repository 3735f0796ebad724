// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QMainWindow>
#include <array>
#include <functional>
#include <memory>
#include <thread>

#include "core/base/run/training_host.h"
#include "ui/models/recent_runs.h"
#include "ui/models/run_controller.h"
#include "ui/models/run_source.h"

class QDockWidget;
class QLabel;
class QMenu;
class QSettings;
class QStackedWidget;

namespace meanflow::ui {

class Banner;
class CurvesPanel;
class LogPanel;
class PipelinePanel;
class RunsPanel;
class StepTimeline;
class Theme;
class ViewerPanes;
class WelcomePage;

/// Opens the training library and makes a host, or returns null with a sentence in `error`. Called on a thread of its
/// own.
using TrainingHostFactory = std::function<base::TrainingHost*(QString* error)>;

/// How the demo is started from the window.
struct DemoOptions {
  QString out_folder;  ///< Empty: a folder named by date under the person's data folder.
  QString config = QStringLiteral("demo");
  QStringList overrides;
};

/// The studio's window: docks, menus and a status bar around one run. Everything a run says comes through a RunSource,
/// everything it is told goes through the RunController.
class MainWindow final : public QMainWindow {
  Q_OBJECT
 public:
  enum class Perspective { kTrain, kDiagnose, kSample };
  static constexpr int kNumPerspectives = 3;

  MainWindow(Theme& theme, QSettings& settings, TrainingHostFactory factory, QWidget* parent = nullptr);
  ~MainWindow() override;

  /// Starts opening the training library; call once the first frame is on the screen.
  void loadTrainingLibrary();
  bool isTrainingReady() const { return host_ != nullptr; }
  void setDemoOptions(DemoOptions options) { demo_options_ = std::move(options); }

  RunSource* source() const { return source_.get(); }
  RunController& controller() { return controller_; }
  StepTimeline& timeline() { return *timeline_; }
  Perspective perspective() const { return perspective_; }
  QString bannerMessage() const;
  /// Closes without a question: a live run is stopped and saved first all the same.
  void closeQuietly();

 public Q_SLOTS:
  void openFolder(const QString& folder);
  void askOpenFolder();
  void startDemo();  ///< As soon as the training library is there.
  void startOrContinue();
  void closeRun();
  void setPerspective(meanflow::ui::MainWindow::Perspective perspective);
  void resetLayout();

 Q_SIGNALS:
  void trainingReady();

 protected:
  void closeEvent(QCloseEvent* event) override;
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;

 private:
  void buildDocks();
  void buildMenus();
  void buildStatusBar();
  void layOutDefault(Perspective perspective);
  void saveLayout();
  void restoreLayout(Perspective perspective);
  void setSource(std::unique_ptr<RunSource> source);
  void startRun(const base::RunRequest& request, RunSource* history);
  void onHostLoaded(base::TrainingHost* host, const QString& error);
  void onSourceChanged(StoreKind kind);
  void refreshStatus();
  void refreshActions();
  void refreshTitle();
  void say(const QString& message, bool is_error);
  bool hasLiveRun() const;
  void stopAndClose();
  QDockWidget* addDock(const QString& name, const QString& title, QWidget* content, const QString& tip);
  QAction* addAction(QMenu* menu, const QString& icon, const QString& text, const QKeySequence& shortcut,
                     const QString& tip);

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
  RunController controller_;
  std::unique_ptr<RunSource> source_;

  Banner* banner_;
  QStackedWidget* pages_;
  WelcomePage* welcome_;
  QMainWindow* workspace_;
  StepTimeline* timeline_;
  PipelinePanel* pipeline_;
  CurvesPanel* curves_;
  LogPanel* log_;
  RunsPanel* runs_;
  ViewerPanes* viewers_;
  std::vector<QDockWidget*> docks_;
  QMenu* recent_menu_ = nullptr;
  QMenu* docks_menu_ = nullptr;
  QAction* demo_action_ = nullptr;
  QAction* close_run_action_ = nullptr;
  QAction* export_action_ = nullptr;
  QAction* start_action_ = nullptr;
  QAction* pause_action_ = nullptr;
  QAction* save_action_ = nullptr;
  QAction* stop_action_ = nullptr;
  QAction* discard_action_ = nullptr;
  std::array<QAction*, kNumPerspectives> perspective_actions_{};
  QLabel* device_label_;
  QLabel* rate_label_;
  QLabel* watching_label_;
  QLabel* saved_label_;
  QLabel* state_label_;
  Perspective perspective_ = Perspective::kTrain;
  bool is_layout_ready_ = false;
  bool is_closing_ = false;
};

}  // namespace meanflow::ui
