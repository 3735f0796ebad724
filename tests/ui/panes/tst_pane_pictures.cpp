// SPDX-License-Identifier: Apache-2.0
//
// Every pane, light and dark, large and small, empty and full. With STUDIO_PICTURES set to a folder, the pictures are
// kept there for people to look at.
#include <QDir>

#include "tests/support/studio_test.h"
#include "tests/ui/panes/pane_fixtures.h"
#include "ui/panes/cmt_matrix_pane.h"
#include "ui/panes/sample_grid_pane.h"
#include "ui/panes/trajectory_pane.h"

using namespace meanflow;           // NOLINT: a test
using namespace meanflow::testing;  // NOLINT

class TestPanePictures : public QObject {
  Q_OBJECT
 private:
  static void keep(const QImage& frame, const QString& name) {
    const QString folder = qEnvironmentVariable("STUDIO_PICTURES");
    if (folder.isEmpty()) return;
    QDir().mkpath(folder);
    QVERIFY(frame.save(QDir(folder).filePath(name + QStringLiteral(".png"))));
  }

  /// Draws `pane` in both themes and sizes; every item named must lie inside the pane.
  template <class Pane>
  static void takeAll(Pane& pane, const QString& name) {
    for (const bool is_dark : {false, true}) {
      for (const QSize size : {QSize(1280, 720), QSize(640, 360)}) {
        pane.setPalette(is_dark ? darkPalette() : lightPalette());
        showPane(pane, size);
        QTest::qWait(30);
        const QImage frame = pane.grabFrame();
        QCOMPARE(frame.size(), size * pane.devicePixelRatioF());
        const QColor background = pane.palette().color(QPalette::Window);
        QVERIFY2(numDifferent(frame, pane, QRectF(QPointF(), size), background) > 2000, qPrintable(name));
        for (const QString& item : pane.itemNames()) {
          QVERIFY2(QRectF(QPointF(), size).contains(pane.itemRect(item)),
                   qPrintable(QStringLiteral("%1: %2 is cut off").arg(name, item)));
        }
        keep(frame, QStringLiteral("%1_%2x%3_%4")
                        .arg(name)
                        .arg(size.width())
                        .arg(size.height())
                        .arg(is_dark ? "dark" : "light"));
      }
    }
  }

 private Q_SLOTS:
  void showsEmptyPanes() {
    ui::SampleGridPane grids;
    takeAll(grids, QStringLiteral("grids_empty"));
    ui::TrajectoryPane trajectories;
    takeAll(trajectories, QStringLiteral("trajectory_empty"));
    ui::CmtMatrixPane matrix;
    takeAll(matrix, QStringLiteral("cmt_empty"));
  }

  void showsGrids() {
    ui::SampleGridPane pane;
    pane.setEntries(emojiRun());
    takeAll(pane, QStringLiteral("grids"));
    pane.setCompare(ui::SampleGridPane::Compare::kSideBySide);
    takeAll(pane, QStringLiteral("grids_beside"));
    pane.setCompare(ui::SampleGridPane::Compare::kWipe);
    takeAll(pane, QStringLiteral("grids_wipe"));
    pane.setCompare(ui::SampleGridPane::Compare::kOff);
    showPane(pane, {1280, 720});
    const QRectF image = pane.itemRect(QStringLiteral("image"));
    turnWheel(pane, image.center(), 12);
    QTest::mouseMove(&pane, (image.center() + QPointF(40, 20)).toPoint());
    keep(pane.grabFrame(), QStringLiteral("grids_zoomed"));
    QTest::mouseMove(&pane, pane.itemRect(QStringLiteral("help")).center().toPoint());
    keep(pane.grabFrame(), QStringLiteral("grids_help"));
    QTest::mouseClick(&pane, Qt::LeftButton, {}, pane.itemRect(QStringLiteral("kind")).center().toPoint());
    keep(pane.grabFrame(), QStringLiteral("grids_combo"));
    QTest::mouseClick(&pane, Qt::LeftButton, {}, QPoint(5, 700));
    pane.grabFrame();
  }

  void showsAThousandClasses() {
    ui::SampleGridPane pane;
    auto entry = gridEntry("mean_flow", 4000, "one_step", 1, emojiGrid(1000, 8, 0.9, 16), 1000, 8);
    std::vector<std::string> names;
    for (int i = 0; i < 1000; ++i)
      names.push_back(QStringLiteral("n%1 some kind of terrier, a dog").arg(1440764 + i).toStdString());
    entry.row_labels = std::make_shared<const std::vector<std::string>>(names);
    pane.setEntries({entry});
    takeAll(pane, QStringLiteral("grids_1000"));
  }

  void showsAGridThatCannotBeRead() {
    ui::SampleGridPane pane(ui::imageLoaderFor(QStringLiteral("/nowhere")));
    auto entry = gridEntry("cmt", 100, "one_step", 1, {}, 8, 10);
    entry.image.reset();
    entry.path = "cmt/samples/step_00000100.png";
    pane.setEntries({entry});
    takeAll(pane, QStringLiteral("grids_failed"));
  }

  void showsTrajectories() {
    ui::TrajectoryPane pane;
    pane.setEntries(
        {emojiTrajectory(0, 100, 11, 0.9), emojiTrajectory(2, 100, 11, 0.9), emojiTrajectory(0, 200, 11, 0.3)});
    pane.setKnot(3);
    takeAll(pane, QStringLiteral("trajectory"));
    pane.setEntries({emojiTrajectory(1, 100, 51, 0.5)});
    pane.setKnot(30);
    takeAll(pane, QStringLiteral("trajectory_51"));
  }

  void showsMatrices() {
    ui::CmtMatrixPane pane;
    for (int i = 0; i < 20; ++i) pane.addEntry(cmtMatrix(50 * (i + 1), 17, std::exp(-0.15 * i)));
    takeAll(pane, QStringLiteral("cmt"));
    QTest::mouseMove(&pane, (pane.itemRect(QStringLiteral("matrix")).topRight() + QPointF(-40, 30)).toPoint());
    auto exploded = cmtMatrix(1100, 17, 0.04);
    exploded.errors[10] = std::numeric_limits<float>::infinity();
    pane.addEntry(exploded);
    showPane(pane, {800, 450});
    keep(pane.grabFrame(), QStringLiteral("cmt_hover"));
  }
};
STUDIO_TEST(TestPanePictures)
#include "tst_pane_pictures.moc"
