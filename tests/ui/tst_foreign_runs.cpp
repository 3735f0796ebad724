// SPDX-License-Identifier: Apache-2.0
#include <QDir>
#include <QFile>
#include <QLabel>
#include <QSettings>
#include <QTemporaryDir>

#include "core/base/formats/tensorboard_writer.h"
#include "tests/support/studio_test.h"
#include "tests/ui/made_up_run.h"
#include "ui/models/foreign_run_source.h"
#include "ui/models/open_run.h"
#include "ui/models/recent_runs.h"
#include "ui/models/recorded_run_source.h"
#include "ui/models/run_catalog.h"
#include "ui/models/run_controller.h"
#include "ui/panels/curves_panel.h"
#include "ui/panels/pipeline_panel.h"
#include "ui/panes/image_store.h"
#include "ui/theme/theme.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

void append(const QString& path, const QByteArray& bytes) {
  QVERIFY(QDir().mkpath(QFileInfo(path).path()));
  QFile file(path);
  QVERIFY(file.open(QIODevice::Append));
  QCOMPARE(file.write(bytes), bytes.size());
}

QByteArray sitLine(int step, double loss) {
  return QStringLiteral("[\033[34m2024-05-01 12:00:00\033[0m] (step=%1) Train Loss: %2, Train Steps/Sec: 3.2\n")
      .arg(step, 7, 10, QLatin1Char('0'))
      .arg(loss)
      .toUtf8();
}

}  // namespace

class TestForeignRuns : public QObject {
  Q_OBJECT
 private:
  std::unique_ptr<Theme> theme_;
  std::unique_ptr<QTemporaryDir> dir_;

 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }
  void init() { dir_ = std::make_unique<QTemporaryDir>(); }

  void aFolderOfSitIsShownAndFollowed() {
    const QString folder = dir_->filePath(QStringLiteral("000-SiT-XL-2"));
    const QString log = folder + QStringLiteral("/log.txt");
    append(log, sitLine(100, 0.9) + sitLine(200, 0.8));
    append(folder + QStringLiteral("/config.yaml"), "model: SiT\n");  // as RAE and mf-rae leave one
    auto opened = openRun(folder);
    QVERIFY2(opened.ok(), opened.ok() ? "" : opened.error().message.c_str());
    auto& source = **opened;
    QVERIFY(source.isForeign());
    QTRY_VERIFY(!source.isLoading());
    QVERIFY(source.origin().contains(QStringLiteral("log.txt as SiT, DiT and mf-rae write it")));
    const auto* loss = source.metrics().series("log.txt", "Train Loss");
    QVERIFY(loss);
    QCOMPARE(loss->size(), std::size_t{2});
    append(log, sitLine(300, 0.7));
    QTRY_COMPARE(loss->size(), std::size_t{3});
    QCOMPARE(source.summary().head()->step, std::int64_t{300});
    QVERIFY(source.trouble().isEmpty());
    // Its folder goes: what was read stays.
    QVERIFY(QDir(folder).removeRecursively());
    QTRY_VERIFY(source.trouble().contains(QStringLiteral("is gone")));
    QCOMPARE(loss->size(), std::size_t{3});
  }

  void picturesInsideEventFilesAreReadByTheirPlace() {
    const QString folder = dir_->filePath(QStringLiteral("tb"));
    base::Image8 image(6, 4, 77);
    {
      auto writer = base::TensorboardWriter::open(folder.toStdString(), 1000);
      QVERIFY((*writer)->addScalar("loss", 0.5, 10, 1001).ok());
      QVERIFY((*writer)->addImage("samples", image, 10, 1001).ok());
    }
    auto opened = openRun(folder);
    QVERIFY(opened.ok());
    QTRY_COMPARE((*opened)->samples().size(), std::size_t{1});
    const auto& sample = (*opened)->samples()[0];
    QCOMPARE(sample.what, std::string("samples"));
    const auto load = imageLoaderFor((*opened)->folder());
    const auto read = load(sample.path);
    QVERIFY2(read.ok(), read.ok() ? "" : read.error().message.c_str());
    QVERIFY(*read == image);
    const auto file = sample.path.substr(0, sample.path.find('#'));
    for (const std::string bad : {"#0+20", "#99999999+20", "#0+99999999999", "#0+0"}) QVERIFY(!load(file + bad).ok());
    QVERIFY(!load("gone#0+20").ok());
  }

  void anEventFileAloneCanBeOpened() {
    base::Result<std::unique_ptr<base::TensorboardWriter>> writer =
        base::TensorboardWriter::open(dir_->filePath(QStringLiteral("tb")).toStdString(), 1000);
    QVERIFY((*writer)->addScalar("fid", 7, 10, 1001).ok());
    append(dir_->filePath(QStringLiteral("tb/log.txt")), sitLine(1, 1));
    auto opened = openRun(QString::fromStdString((*writer)->path().string()));
    QVERIFY(opened.ok());
    QTRY_VERIFY((*opened)->metrics().series("tensorboard", "fid"));
    QVERIFY(!(*opened)->metrics().series("log.txt", "Train Loss"));
    QCOMPARE((*opened)->folder(), dir_->filePath(QStringLiteral("tb")));
  }

  void itCanBeLookedAtAndNoMore() {
    const QString folder = dir_->filePath(QStringLiteral("other"));
    append(folder + QStringLiteral("/log.txt"), sitLine(100, 0.9));
    auto opened = openRun(folder);
    RunController controller;
    PipelinePanel pipeline(*theme_, controller);
    CurvesPanel curves(*theme_);
    controller.setSource(opened->get());
    pipeline.setSource(opened->get());
    curves.setSource(opened->get());
    QTRY_VERIFY(!(*opened)->isLoading());
    QTRY_VERIFY((*opened)->origin().contains(QStringLiteral("as SiT")));
    const auto& can = controller.actions();
    QVERIFY(!can.can_start && !can.can_pause && !can.can_save && !can.can_stop && !can.can_discard);
    const auto texts = pipeline.findChildren<QLabel*>();
    const auto says = [&](const QString& text) {
      return std::any_of(texts.begin(), texts.end(), [&](const QLabel* label) { return label->text().contains(text); });
    };
    QTRY_VERIFY(says(QStringLiteral("It can be looked at, not trained or changed")));
    QVERIFY(says(QStringLiteral("up to step 100")));
    // Its own tags are shown, losses first.
    QCOMPARE(curves.shownScalars(), (QStringList{QStringLiteral("Train Loss"), QStringLiteral("Train Steps/Sec")}));
    pipeline.setSource(nullptr);
    curves.setSource(nullptr);
    controller.setSource(nullptr);
    const auto card = readRunCard(folder);
    QVERIFY(card.is_there && card.is_foreign && !card.isInterrupted());
  }

  void damageIsSaidAndTheRestShown() {
    const QString folder = dir_->filePath(QStringLiteral("bad"));
    append(folder + QStringLiteral("/log.txt"), sitLine(100, 0.9));
    append(folder + QStringLiteral("/events.out.tfevents.1"), QByteArray(64, 'y'));
    auto opened = openRun(folder);
    QVERIFY(opened.ok());
    QTRY_VERIFY((*opened)->trouble().contains(QStringLiteral("the record at byte 0")));
    QVERIFY((*opened)->metrics().series("log.txt", "Train Loss"));
  }

  void runsOfTheStudioStayRunsOfTheStudio() {
    const QString folder = dir_->filePath(QStringLiteral("run"));
    testing::writeRunFolder(folder, testing::madeUpRun({.num_stages = 2, .has_samples = false}));
    append(folder + QStringLiteral("/log.txt"), sitLine(100, 0.9));
    auto opened = openRun(folder);
    QVERIFY(opened.ok() && !(*opened)->isForeign());
    QVERIFY(!readRunCard(folder).is_foreign);
    // One that has said nothing yet.
    const QString fresh = dir_->filePath(QStringLiteral("fresh"));
    append(fresh + QStringLiteral("/config.yaml"), "seed: 1\n");
    append(fresh + QStringLiteral("/log.txt"), "starting\n");
    QVERIFY(QDir(fresh).mkdir(QStringLiteral("inbox")));
    auto other = openRun(fresh);
    QVERIFY(other.ok() && !(*other)->isForeign());
    QVERIFY(openRun(dir_->filePath(QStringLiteral("nothing"))).error().message.find("There is no folder") !=
            std::string::npos);
    QVERIFY(QDir().mkpath(dir_->filePath(QStringLiteral("empty"))));
    QVERIFY(openRun(dir_->filePath(QStringLiteral("empty"))).error().message.find("is not a run folder") !=
            std::string::npos);
  }
};
STUDIO_TEST(TestForeignRuns)
#include "tst_foreign_runs.moc"
