// SPDX-License-Identifier: Apache-2.0
#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QDrag>
#include <QDragEnterEvent>
#include <QDropEvent>
#include <QImage>
#include <QLineEdit>
#include <QListWidget>
#include <QMimeData>
#include <QMouseEvent>
#include <QSpinBox>
#include <QTemporaryDir>
#include <QUrl>
#include <mutex>
#include <thread>

#include "tests/support/studio_test.h"
#include "tests/ui/made_up_run.h"
#include "ui/models/sample_job.h"
#include "ui/panels/class_grid_controls.h"
#include "ui/panels/class_grid_panel.h"
#include "ui/panels/drag_button.h"
#include "ui/panes/compare_pane.h"
#include "ui/theme/theme.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

/// Answers a request from another thread when told to, with 2 x 2 images whose red says which image it is.
class PaintingHost final : public base::TrainingHost {
 public:
  base::Result<void> start(const base::RunRequest&, std::shared_ptr<base::EventSink>) override { return {}; }
  void send(const base::Command&) override {}
  base::RunState state() const override { return base::RunState::kIdle; }
  void requestSamples(const base::SampleRequest& request,
                      std::function<void(const base::SampleResult&)> deliver) override {
    requests.push_back(request);
    delivers.push_back(std::move(deliver));
    if (answers_at_once) answer(static_cast<int>(requests.size()) - 1, 1000);
  }
  void answer(int which, int at_most) {
    const auto& request = requests[static_cast<std::size_t>(which)];
    std::jthread([&] {
      const int count = static_cast<int>(request.labels.size());
      for (int i = 0; i < std::min(count, at_most); ++i) {
        base::SampleResult result{.id = request.id, .index = i, .is_last = i + 1 == count, .latency_ms = 10.0 + i};
        auto image = std::make_shared<base::Image8>(2, 2, 0);
        for (int p = 0; p < 4; ++p) image->pixels[static_cast<std::size_t>(3 * p)] = static_cast<std::uint8_t>(i + 1);
        result.image = image;
        delivers[static_cast<std::size_t>(which)](result);
      }
    }).join();
  }
  void fail(int which, const std::string& why) {
    delivers[static_cast<std::size_t>(which)](
        {.id = requests[static_cast<std::size_t>(which)].id, .is_last = true, .error = why});
  }
  bool answers_at_once = false;
  std::vector<base::SampleRequest> requests;
  std::vector<std::function<void(const base::SampleResult&)>> delivers;
};

SampleSettings twoRows() {
  SampleSettings settings;
  settings.classes = {2, 5};
  settings.noises = QStringLiteral("0, 3-4");
  return settings;
}

}  // namespace

class TestClassGrids : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { theme_ = std::make_unique<Theme>(*qApp); }

  void noisesAreThoseOfTheSavedGridsUnlessShared() {
    auto settings = twoRows();
    auto request = settings.request(QStringLiteral("/run"), 7);
    QCOMPARE(request.labels, (std::vector<std::int64_t>{2, 2, 2, 5, 5, 5}));
    QCOMPARE(request.noise_indices, (std::vector<std::uint64_t>{2000, 2003, 2004, 5000, 5003, 5004}));
    settings.has_shared_noise = true;
    request = settings.request(QStringLiteral("/run"), 7);
    QCOMPARE(request.noise_indices, (std::vector<std::uint64_t>{0, 3, 4, 0, 3, 4}));
  }

  void whatCannotBeMadeSaysWhy() {
    auto settings = twoRows();
    QVERIFY(settings.problem().isEmpty());
    for (const char* text : {"", "a", "3-1", "0-64", "1;2"}) {
      settings.noises = QLatin1String(text);
      QVERIFY2(!settings.problem().isEmpty(), text);
    }
    settings = twoRows();
    settings.classes.clear();
    QVERIFY(settings.problem().contains(QStringLiteral("No class")));
  }

  void settingsTravelInTheTextsOfAPng() {
    auto settings = twoRows();
    settings.seed = 12;
    settings.nfe = 50;
    settings.use_teacher = true;
    settings.guidance_scale = 2.5;
    settings.guidance_t_max = 0.85;
    settings.use_ema = false;
    settings.checkpoint = QStringLiteral("teacher/checkpoints/step_00000400");
    QVERIFY(SampleSettings::fromTexts(settings.toTexts(QStringLiteral("run"))) == settings);
    // As the command line writes them: a class for every image, the same noises for each.
    const auto read = SampleSettings::fromTexts({{"classes", "3,3,3,7,7,7"},
                                                 {"seed", "7"},
                                                 {"first_noise", "10"},
                                                 {"nfe", "1"},
                                                 {"model", "student"},
                                                 {"guidance_scale", "1.000000"},
                                                 {"guidance_interval", "0.000000 1.000000"},
                                                 {"checkpoint", ""}});
    QVERIFY(read);
    QCOMPARE(read->classes, (std::vector<std::int64_t>{3, 7}));
    QCOMPARE(read->noises, QStringLiteral("10-12"));
    QVERIFY(read->has_shared_noise);
    QVERIFY(!SampleSettings::fromTexts({{"Software", "a paint program"}}));
  }

  void anInterpolationIsARowForEachClassAndNoise() {
    auto settings = twoRows();
    settings.seed = 4;
    settings.towards_seed = 9;
    settings.towards_class = 1;
    settings.between = 3;
    settings.truncation = 0.7;
    QCOMPARE(settings.numRows(), 6);
    QCOMPARE(settings.numColumns(), 3);
    const auto request = settings.request(QStringLiteral("/run"), 7);
    QCOMPARE(request.noise_scale, 0.7);
    QCOMPARE(request.labels.size(), std::size_t(18));
    QCOMPARE(request.blends.size(), std::size_t(18));
    QCOMPARE(request.noise_indices[3], 2003u);
    QCOMPARE(request.noise_indices[5], 2003u);
    QCOMPARE(request.blends[3].share, 0.0);
    QCOMPARE(request.blends[4].share, 0.5);
    QCOMPARE(request.blends[5].share, 1.0);
    QCOMPARE(request.blends[5].noise_index, 2003u);
    QCOMPARE(request.blends[5].seed, 9u);
    QCOMPARE(request.blends[5].label, 1);
    QVERIFY(SampleSettings::fromTexts(settings.toTexts(QStringLiteral("run"))) == settings);
    settings.towards_class.reset();
    QCOMPARE(settings.request(QStringLiteral("/run"), 7).blends[5].label, -1);
    QVERIFY(settings.problem().isEmpty());
    settings.towards_seed = 4;
    QVERIFY(settings.problem().contains(QStringLiteral("same seed")));
    // As the command line writes it: every image has its class, whatever lies between.
    const auto read = SampleSettings::fromTexts({{"classes", "3,3,3,3,7,7,7,7"},
                                                 {"seed", "7"},
                                                 {"first_noise", "10"},
                                                 {"nfe", "1"},
                                                 {"model", "student"},
                                                 {"weights", "model"},
                                                 {"between", "2"},
                                                 {"towards_class", "0"},
                                                 {"truncation", "0.5"}});
    QVERIFY(read);
    QCOMPARE(read->noises, QStringLiteral("10-11"));
    QCOMPARE(read->towards_class.value(), 0);
    QVERIFY(!read->towards_seed);
    QCOMPARE(read->between, 2);
    QCOMPARE(read->truncation, 0.5);
    QVERIFY(!read->use_ema);  // what it calls the model is the raw weights
  }

  void imagesAppearAsTheyComeAndANewRequestMakesTheOldVoid() {
    PaintingHost host;
    SampleJob job;
    job.setHost(&host);
    job.start(QStringLiteral("/run"), twoRows(), {});
    host.answer(0, 2);
    QTRY_COMPARE(job.numDone(), 2);
    QVERIFY(job.isBusy());
    QCOMPARE(job.grid(0)->width, 6);
    QCOMPARE(job.grid(0)->height, 4);
    QCOMPARE(int(job.grid(0)->at(2, 0)[0]), 2);
    QCOMPARE(int(job.grid(0)->at(4, 0)[0]), 128);  // has not come yet
    job.start(QStringLiteral("/run"), twoRows(), {});
    host.answer(0, 100);  // late: of the request before
    QTest::qWait(30);
    QCOMPARE(job.numDone(), 0);
    host.answer(1, 100);
    QTRY_VERIFY(!job.isBusy());
    QCOMPARE(job.numDone(), 6);
    QCOMPARE(job.firstMs(), 10.0);
    QCOMPARE(job.totalMs(), 15.0);
    QCOMPARE(int(job.grid(0)->at(5, 3)[0]), 6);
  }

  void aSecondGridIsAskedForAfterTheFirst() {
    PaintingHost host;
    SampleJob job;
    job.setHost(&host);
    auto other = twoRows();
    other.checkpoint = QStringLiteral("cmt/checkpoints/step_00000100");
    job.start(QStringLiteral("/run"), twoRows(), other);
    QCOMPARE(host.requests.size(), 1u);
    host.answer(0, 100);
    QTRY_COMPARE(host.requests.size(), 2u);
    QCOMPARE(host.requests[1].checkpoint, std::string("cmt/checkpoints/step_00000100"));
    QCOMPARE(host.requests[1].noise_indices, host.requests[0].noise_indices);
    host.answer(1, 100);
    QTRY_VERIFY(!job.isBusy());
    QVERIFY(job.grid(1));
  }

  void anAnswerForOneThatIsGoneIsDropped() {
    PaintingHost host;
    {
      SampleJob job;
      job.setHost(&host);
      job.start(QStringLiteral("/run"), twoRows(), {});
    }
    host.answer(0, 100);
    QTest::qWait(20);
  }

  void thePanelAsksAsThingsAreChosenAndRestoresFromAPng() {
    PaintingHost host;
    host.answers_at_once = true;
    ClassGridPanel panel(*theme_);
    panel.resize(900, 560);
    panel.show();
    panel.setHost(&host);
    RunSource source(QStringLiteral("/nowhere"));
    panel.setSource(&source);
    source.feed(testing::madeUpRun({.num_stages = 5, .has_samples = false}));
    auto* classes = panel.findChild<QListWidget*>();
    QTRY_COMPARE(classes->count(), 8);
    panel.make();
    QTRY_VERIFY(panel.job().numWanted() > 0 && !panel.job().isBusy());
    QCOMPARE(host.requests.back().labels.size(), 64u);
    classes->item(0)->setCheckState(Qt::Unchecked);
    QTRY_COMPARE(host.requests.back().labels.size(), 56u);
    for (auto* line : panel.findChildren<QLineEdit*>()) {
      if (line->accessibleName().startsWith(QStringLiteral("Find classes"))) line->setText(QStringLiteral("clock"));
    }
    QVERIFY(classes->item(0)->isHidden());
    QVERIFY(!classes->item(3)->isHidden());
    QTRY_VERIFY(!panel.job().isBusy());
    QTemporaryDir dir;
    const QString path = dir.filePath(QStringLiteral("grid.png"));
    QVERIFY(panel.savePng(path).ok());
    const auto saved = panel.controls().settings();
    SampleSettings other = saved;
    other.classes = {1};
    other.nfe = 4;
    other.seed = 9;
    panel.setSettings(other);
    QCOMPARE(panel.controls().settings().nfe, 4);
    QVERIFY(panel.restoreFrom(path));
    QVERIFY(panel.controls().settings() == saved);
    QVERIFY(!panel.restoreFrom(dir.filePath(QStringLiteral("none.png"))));
    panel.setHost(nullptr);
    panel.setSource(nullptr);
  }

  void theWayToAnotherSeedIsChosenInThePanelAndTravelsByDragAndDrop() {
    PaintingHost host;
    host.answers_at_once = true;
    ClassGridPanel panel(*theme_);
    panel.resize(900, 700);
    panel.show();
    panel.setHost(&host);
    RunSource source(QStringLiteral("/nowhere"));
    panel.setSource(&source);
    source.feed(testing::madeUpRun({.num_stages = 5, .has_samples = false}));
    QTRY_COMPARE(panel.findChild<QListWidget*>()->count(), 8);
    QVERIFY(panel.dragData() == nullptr);  // nothing was made yet
    auto* drag = panel.findChild<DragButton*>();
    QVERIFY(!drag->isEnabled());
    auto* way = named<QComboBox>(panel, QStringLiteral("What the columns are"));
    auto* to_seed = named<QSpinBox>(panel, QStringLiteral("Seed at the right end"));
    auto* to_class = named<QComboBox>(panel, QStringLiteral("Class at the right end"));
    QVERIFY(!to_seed->isVisible() && !to_class->isVisible());
    way->setFocus();
    QTest::keyClick(way, Qt::Key_Down);
    QVERIFY(to_seed->isVisible() && !to_class->isVisible());
    to_seed->setValue(33);
    named<QDoubleSpinBox>(panel, QStringLiteral("Truncation of the noise"))->setValue(0.8);
    QTRY_VERIFY(!host.requests.empty() && host.requests.back().noise_scale == 0.8 && !panel.job().isBusy());
    QCOMPARE(host.requests.back().labels.size(), std::size_t(64));  // one noise a class, eight on its way
    QCOMPARE(host.requests.back().blends.back().seed, 33u);
    QCOMPARE(host.requests.back().blends.back().share, 1.0);
    const auto saved = panel.controls().settings();

    // A hand that pulls the button out of the window.
    std::unique_ptr<QMimeData> carried;
    drag->setRunDrag([&](QDrag* dragged) {
      carried = std::make_unique<QMimeData>();
      carried->setUrls(dragged->mimeData()->urls());
      carried->setImageData(dragged->mimeData()->imageData());
    });
    QVERIFY(drag->isEnabled());
    const QPoint middle = drag->rect().center();
    QTest::mousePress(drag, Qt::LeftButton, {}, middle);
    QMouseEvent pull(QEvent::MouseMove, middle + QPoint(40, 0), drag->mapToGlobal(middle + QPoint(40, 0)), Qt::NoButton,
                     Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(drag, &pull);
    QVERIFY(carried);
    QTest::mouseRelease(drag, Qt::LeftButton, {}, middle + QPoint(40, 0));
    QCOMPARE(carried->urls().size(), 1);
    const auto picture = qvariant_cast<QImage>(carried->imageData());
    QCOMPARE(picture.size(), QSize(16, 16));
    QCOMPARE(QImage(carried->urls()[0].toLocalFile()).size(), picture.size());

    panel.setSettings(twoRows());
    QVERIFY(!(panel.controls().settings() == saved));
    QVERIFY(!to_seed->isVisible());
    QDragEnterEvent enter(QPoint(10, 10), Qt::CopyAction, carried.get(), Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(&panel, &enter);
    QVERIFY(enter.isAccepted());
    QDropEvent drop(QPointF(10, 10), Qt::CopyAction, carried.get(), Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(&panel, &drop);
    QVERIFY(panel.controls().settings() == saved);
    QCOMPARE(to_seed->value(), 33);

    // Without a mouse the same goes by the clipboard.
    QTRY_VERIFY(drag->isEnabled());
    drag->setFocus();
    QTest::keyClick(drag, Qt::Key_Space);
    QCOMPARE(QApplication::clipboard()->mimeData()->urls().size(), 1);
    QVERIFY(QApplication::clipboard()->mimeData()->hasImage());
    panel.setHost(nullptr);
    panel.setSource(nullptr);
  }

  void checkpointsChosenElsewhereAreDrawnUnderTheWipe() {
    PaintingHost host;
    host.answers_at_once = true;
    ClassGridPanel panel(*theme_);
    panel.setHost(&host);
    RunSource source(QStringLiteral("/nowhere"));
    panel.setSource(&source);
    source.feed(testing::madeUpRun({.num_stages = 5, .has_samples = false}));
    QTRY_COMPARE(panel.findChild<QListWidget*>()->count(), 8);
    panel.useCheckpoints(QStringLiteral("cmt/checkpoints/step_00000100"),
                         QStringLiteral("mean_flow/checkpoints/step_00000300"));
    QTRY_COMPARE(host.requests.size(), std::size_t(2));
    QCOMPARE(host.requests[0].checkpoint, std::string("cmt/checkpoints/step_00000100"));
    QCOMPARE(host.requests[1].checkpoint, std::string("mean_flow/checkpoints/step_00000300"));
    QCOMPARE(host.requests[1].noise_indices, host.requests[0].noise_indices);
    QVERIFY(!host.requests[0].use_teacher);
    QTRY_VERIFY(!panel.job().isBusy());
    panel.useCheckpoints(QStringLiteral("teacher/checkpoints/step_00000100"), {});
    QTRY_VERIFY(host.requests.back().use_teacher);
    QCOMPARE(host.requests.back().nfe, 50);
    QVERIFY(panel.controls().compareWith().isEmpty());
    panel.setHost(nullptr);
    panel.setSource(nullptr);
  }

 private:
  template <class Widget>
  static Widget* named(const QWidget& panel, const QString& name) {
    for (auto* widget : panel.findChildren<Widget*>())
      if (widget->accessibleName() == name) return widget;
    return nullptr;
  }

  std::unique_ptr<Theme> theme_;
};

STUDIO_TEST(TestClassGrids)
#include "tst_class_grids.moc"
