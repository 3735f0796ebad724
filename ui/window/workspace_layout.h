// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QString>
#include <initializer_list>
#include <vector>

class QDockWidget;
class QMainWindow;
class QSettings;
class QWidget;

namespace meanflow::ui {

/// What the panels are laid out for.
enum class Perspective { kTrain, kDiagnose, kSample, kEvaluate };
inline constexpr int kNumPerspectives = 4;

/// The docked panels and where they are. Every perspective has an arrangement of its own, kept in the person's settings
/// when it is left and given back when it is entered again.
class WorkspaceLayout final : public QObject {
  Q_OBJECT
 public:
  explicit WorkspaceLayout(QSettings& settings, QObject* parent = nullptr);

  QMainWindow* workspace() const { return workspace_; }
  /// `name` is what the arrangement is stored under; `tip` says what the panel is for.
  QDockWidget* addDock(const QString& name, const QString& title, QWidget* content, const QString& tip);
  const std::vector<QDockWidget*>& docks() const { return docks_; }
  QDockWidget* find(const QString& name) const;  ///< Null for an unknown name.
  /// Brings a panel to the front and gives it the focus.
  void bringUp(const QString& name);

  Perspective perspective() const { return perspective_; }
  /// Keeps the present arrangement; takes up that of `perspective` if the workspace is on show.
  void setPerspective(Perspective perspective);
  void enter();  ///< Call when the workspace is shown around a run and has its real size.
  /// The same without a run: the settings of a new one and the list of runs, whatever the perspective. Not kept.
  void enterForNewRun();
  void save();     ///< Keeps the arrangement of the perspective, if it was entered.
  void putBack();  ///< The perspective as it was at first.
  bool isReady() const { return is_ready_; }

 protected:
  /// Names the tab bars, which the workspace makes for itself wherever panels come to share a place.
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void takeApart();
  void layOut(Perspective perspective);
  void show(std::initializer_list<const char*> names);
  void split(const char* first, const char* second, Qt::Orientation orientation);
  void stack(const char* front, std::initializer_list<const char*> behind);

  QSettings& settings_;
  QMainWindow* workspace_;
  std::vector<QDockWidget*> docks_;
  Perspective perspective_ = Perspective::kTrain;
  bool is_ready_ = false;
};

}  // namespace meanflow::ui
