// SPDX-License-Identifier: Apache-2.0
#include <QApplication>
#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QLocale>
#include <QTemporaryDir>
#include <QToolButton>
#include <thread>

#include "tests/support/studio_test.h"
#include "tests/ui/made_up_run.h"
#include "ui/panels/data_panel.h"
#include "ui/panels/latent_chart.h"
#include "ui/theme/theme.h"

using namespace meanflow;
using namespace meanflow::ui;

namespace {

/// A data set of three classes that never was; answers from another thread, when it is told to.
class DataHost final : public base::TrainingHost {
 public:
  base::Result<void> start(const base::RunRequest&, std::shared_ptr<base::EventSink>) override { return {}; }
  void send(const base::Command&) override {}
  base::RunState state() const override { return base::RunState::kIdle; }
  void requestSamples(const base::SampleRequest&, std::function<void(const base::SampleResult&)>) override {}
  void browseData(const base::DataQuestion& question, std::function<void(const base::DataAnswer&)> deliver) override {
    questions.push_back(question);
    deliver_ = deliver;
    if (is_prompt) respond();
  }
  void respond() {
    const auto& question = questions.back();
    base::DataAnswer answer;
    answer.error = error;
    answer.label = question.label, answer.first = question.first, answer.is_held_out = question.is_held_out;
    if (error.empty()) {
      answer.description = "emoji, 32 px";
      answer.class_names = {"face", "heart", "clock"};
      answer.num_training = {1000, 70, 5};
      answer.num_held_out = {200, 10, 2};
      const auto total = (question.is_held_out ? answer.num_held_out : answer.num_training)[question.label];
      for (std::int64_t i = question.first; i < std::min(total, question.first + question.count); ++i) {
        answer.images.push_back(testing::madeUpGrid(1, 1, 1));
        answer.sources.push_back("heart/" + std::to_string(i));
        if (question.wants_reconstructions) answer.reconstructions.push_back(testing::madeUpGrid(1, 1, 0.7));
      }
      answer.decoder = "decoder step 500";
      answer.psnr = 22.49;
      if (!question.run_folder.empty()) {
        for (int i = 0; i < 32; ++i) {
          answer.channel_mean.push_back(0.1F * static_cast<float>(i % 7) - 0.3F);
          answer.channel_std.push_back(1 + 0.05F * static_cast<float>(i % 5));
        }
        answer.statistics = "measured at the end of the decoder stage";
      } else {
        answer.no_statistics = "Settings have no latent statistics";
      }
    }
    std::jthread([&] { deliver_(answer); }).join();
  }
  std::vector<base::DataQuestion> questions;
  std::string error;
  bool is_prompt = true;

 private:
  std::function<void(const base::DataAnswer&)> deliver_;
};

}  // namespace

class TestDataPanel : public QObject {
  Q_OBJECT
 private:
  std::unique_ptr<Theme> theme_;
  DataHost host_;
  std::unique_ptr<RunSource> source_;
  std::unique_ptr<DataPanel> panel_;

  template <class Widget>
  Widget* named(const QString& name) const {
    for (auto* each : panel_->findChildren<Widget*>())
      if (each->accessibleName() == name) return each;
    return nullptr;
  }
  bool says(const QString& text) const {
    const auto labels = panel_->findChildren<QLabel*>();
    return std::any_of(labels.begin(), labels.end(),
                       [&](const QLabel* label) { return label->isVisible() && label->text().contains(text); });
  }
  QListWidget* classes() const { return named<QListWidget>(QStringLiteral("Classes")); }
  QListWidget* images() const { return named<QListWidget>(QStringLiteral("Images of the chosen class")); }

 private Q_SLOTS:
  void initTestCase() {
    QLocale::setDefault(QLocale::c());  // how counts are written
    theme_ = std::make_unique<Theme>(*qApp);
  }
  void cleanupTestCase() { QLocale::setDefault(QLocale::system()); }
  void init() {
    host_.questions.clear();
    host_.error.clear();
    host_.is_prompt = true;
    source_ = std::make_unique<RunSource>(QStringLiteral("/runs/one"));
    source_->feed(testing::madeUpRun({.num_stages = 3, .has_samples = false}));
    panel_ = std::make_unique<DataPanel>(*theme_);
    panel_->setDraft([] { return QStringLiteral("seed: 1\n"); });
    panel_->resize(640, 480);
  }
  void cleanup() { panel_.reset(); }

  void nothingIsAskedWhileItIsHidden() {
    panel_->setHost(&host_);
    panel_->setSource(source_.get());
    QVERIFY(host_.questions.empty());
    panel_->show();
    QTRY_COMPARE(host_.questions.size(), std::size_t{1});
    QCOMPARE(host_.questions[0].run_folder, std::string("/runs/one"));
    panel_->setHost(nullptr);
  }

  void classesCountsImagesAndReconstructionsAreShown() {
    panel_->show();
    panel_->setSource(source_.get());
    panel_->setHost(&host_);
    QTRY_COMPARE(images()->count(), DataPanel::kImagesAPage);
    QCOMPARE(classes()->count(), 3);
    QVERIFY(classes()->item(0)->text().contains(QStringLiteral("1000")));
    QVERIFY(classes()->item(1)->toolTip().contains(QStringLiteral("70 for training, 10 held out")));
    QVERIFY(says(QStringLiteral("3 classes, 1075 training and 212 held-out images")));
    QVERIFY(says(QStringLiteral("decoder step 500 makes of it (PSNR of these 22.49 dB)")));
    QVERIFY(images()->iconSize().width() > 2 * 70);
    QVERIFY(panel_->findChild<LatentChart*>()->isVisible());
    // Another class, its pages.
    classes()->setCurrentRow(1);
    QTRY_VERIFY(says(QStringLiteral("1 to 60 of 70")));
    auto* next = named<QToolButton>(QStringLiteral("Images after these"));
    QVERIFY(next->isEnabled() && !named<QToolButton>(QStringLiteral("Images before these"))->isEnabled());
    next->click();
    QTRY_COMPARE(images()->count(), 10);
    QCOMPARE(host_.questions.back().first, std::int64_t{60});
    QVERIFY(!next->isEnabled());
    // The held-out part begins at its beginning.
    named<QComboBox>(QStringLiteral("Training or held-out images"))->setCurrentIndex(1);
    QTRY_VERIFY(says(QStringLiteral("1 to 10 of 10")));
    QVERIFY(host_.questions.back().is_held_out);
    panel_->findChild<QCheckBox*>()->setChecked(false);
    QTRY_VERIFY(images()->iconSize().width() < 80);
    QVERIFY(!host_.questions.back().wants_reconstructions);
    named<QLineEdit>(QStringLiteral("Search classes by name or number"))->setText(QStringLiteral("cl"));
    QCOMPARE(classes()->count(), 1);
    panel_->setHost(nullptr);
  }

  void anAnswerToAnOldQuestionIsPassedOver() {
    panel_->show();
    panel_->setSource(source_.get());
    host_.is_prompt = false;
    panel_->setHost(&host_);
    QTRY_VERIFY(!host_.questions.empty());
    host_.respond();  // is on its way when another run is opened
    panel_->setSource(nullptr);
    QTest::qWait(50);
    QVERIFY(panel_->answer().class_names.empty());
    panel_->setHost(nullptr);
  }

  void theSettingsOfANewRunHaveDataToo() {
    panel_->show();
    panel_->setHost(&host_);
    QTRY_COMPARE(classes()->count(), 3);
    QCOMPARE(host_.questions.back().config, std::string("seed: 1\n"));
    QVERIFY(!host_.questions.back().wants_reconstructions);
    QVERIFY(says(QStringLiteral("Settings have no latent statistics")));
    const auto num = host_.questions.size();
    panel_->draftChanged();
    QTRY_VERIFY(host_.questions.size() > num);
    panel_->setHost(nullptr);
  }

  void whatIsMissingIsSaid() {
    panel_->show();
    QVERIFY(says(QStringLiteral("The training library is not loaded")));
    host_.error = "data.path: /none is not a folder";
    panel_->setHost(&host_);
    QTRY_VERIFY(says(QStringLiteral("There is no data at hand")));
    QVERIFY(says(QStringLiteral("/none is not a folder")));
    panel_->setHost(nullptr);
  }

  /// Pictures for people, in screenshots/.
  void picturesInLightAndDark() {
    const QString out = QCoreApplication::applicationDirPath() + QStringLiteral("/../screenshots");
    QVERIFY(QDir().mkpath(out));
    for (const auto choice : {ThemeChoice::kLight, ThemeChoice::kDark}) {
      theme_->setChoice(choice);
      const QString look = choice == ThemeChoice::kLight ? QStringLiteral("light") : QStringLiteral("dark");
      panel_->resize(640, 460);
      panel_->show();
      panel_->setSource(source_.get());
      panel_->setHost(&host_);
      QTRY_COMPARE(images()->count(), DataPanel::kImagesAPage);
      QTest::qWait(60);
      QVERIFY(panel_->grab().save(QStringLiteral("%1/data_%2.png").arg(out, look)));
      panel_->resize(360, 320);
      QTest::qWait(60);
      QVERIFY(panel_->grab().save(QStringLiteral("%1/data_small_%2.png").arg(out, look)));
      panel_->setHost(nullptr);
    }
    theme_->setChoice(ThemeChoice::kSystem);
  }

  void aLibraryThatCannotSaysSo() {
    class OldHost final : public base::TrainingHost {
     public:
      base::Result<void> start(const base::RunRequest&, std::shared_ptr<base::EventSink>) override { return {}; }
      void send(const base::Command&) override {}
      base::RunState state() const override { return base::RunState::kIdle; }
      void requestSamples(const base::SampleRequest&, std::function<void(const base::SampleResult&)>) override {}
    } old;
    panel_->show();
    panel_->setHost(&old);
    QTRY_VERIFY(says(QStringLiteral("this training library cannot do that")));
    panel_->setHost(nullptr);
  }
};
STUDIO_TEST(TestDataPanel)
#include "tst_data_panel.moc"
