// SPDX-License-Identifier: Apache-2.0
#include <torch/torch.h>

#include <QTemporaryDir>
#include <cmath>
#include <filesystem>

#include "core/base/config/config_io.h"
#include "core/base/events/event_sink.h"
#include "core/base/formats/png.h"
#include "core/device/device.h"
#include "tests/support/studio_test.h"
#include "tests/training/run/tiny_preset.h"
#include "training/run/data_browser.h"
#include "training/run/training_run.h"

using namespace meanflow;
using training::DataBrowser;

class TestDataBrowser : public QObject {
  Q_OBJECT
 private:
  QTemporaryDir temporary_;
  std::string preset_, run_;
  std::string path(const char* name) const { return temporary_.filePath(QString::fromLatin1(name)).toStdString(); }
  std::string settings(const std::vector<std::string>& overrides = {}) const {
    return base::toYaml(base::loadConfig(preset_, overrides).value());
  }

 private Q_SLOTS:
  void initTestCase() {
    core::initialiseTorch();
    preset_ = testing::writeTinyPreset(temporary_.path().toStdString());
    run_ = path("run");
    base::RunRequest request;
    request.run_folder = run_, request.config = preset_, request.overrides = {"stages=[encoder, decoder]"};
    auto run = training::TrainingRun::prepare(request, {});
    QVERIFY(run.ok());
    QVERIFY((*run)->run().ok());
  }

  void classesAndCountsOfSettingsAreThoseOfTheFolder() {
    DataBrowser browser;
    base::DataQuestion question;
    question.config = settings();
    const auto answer = browser.answer(question);
    QVERIFY2(answer.error.empty(), answer.error.c_str());
    QCOMPARE(answer.class_names, (std::vector<std::string>{"across", "disc", "down"}));
    for (std::size_t i = 0; i < 3; ++i) {
      QCOMPARE(answer.num_training[i], std::int64_t{7});  // ten pictures, three tenths held out
      QCOMPARE(answer.num_held_out[i], std::int64_t{3});
    }
    QVERIFY(answer.images.empty() && answer.channel_mean.empty());
    QVERIFY(answer.no_statistics.find("Settings have no latent statistics") != std::string::npos);
  }

  void imagesAreThoseOfTheirClassAndPart() {
    DataBrowser browser;
    base::DataQuestion question;
    question.config = settings();
    question.label = 1;
    question.first = 2;
    question.count = 4;
    const auto training = browser.answer(question);
    QCOMPARE(training.images.size(), std::size_t{4});
    question.is_held_out = true;
    question.first = 0;
    question.count = 60;
    const auto held_out = browser.answer(question);
    QCOMPARE(held_out.images.size(), std::size_t{3});
    for (const auto* part : {&training, &held_out}) {
      for (std::size_t i = 0; i < part->images.size(); ++i) {
        QVERIFY(part->sources[i].starts_with("disc/"));
        const auto file = base::readPng(temporary_.path().toStdString() + "/pictures/" + part->sources[i]);
        QVERIFY(file.ok() && *file == *part->images[i]);  // 16 px, as they are
      }
    }
    for (const auto& source : held_out.sources)
      QVERIFY(std::find(training.sources.begin(), training.sources.end(), source) == training.sources.end());
    question.first = 50;
    QVERIFY(browser.answer(question).images.empty());
    question.label = 3;
    QVERIFY(browser.answer(question).error.find("class 3 is out of range; the data have 3") != std::string::npos);
  }

  void reconstructionsAreTheNewestDecoders() {
    DataBrowser browser;
    base::DataQuestion question;
    question.run_folder = run_;
    question.label = 0;
    question.count = 5;
    question.wants_reconstructions = true;
    const auto answer = browser.answer(question);
    QVERIFY2(answer.no_reconstructions.empty(), answer.no_reconstructions.c_str());
    QCOMPARE(answer.reconstructions.size(), std::size_t{5});
    QCOMPARE(answer.reconstructions[0]->width, 16);
    QVERIFY(answer.decoder.find("decoder step 8") != std::string::npos);
    // Its own measure, from the pictures that were handed out (they were rounded to 8 bits).
    double sum = 0;
    for (std::size_t i = 0; i < 5; ++i) {
      double squared = 0;
      const auto &a = answer.images[i]->pixels, &b = answer.reconstructions[i]->pixels;
      for (std::size_t k = 0; k < a.size(); ++k) squared += std::pow((a[k] - b[k]) / 255.0, 2);
      sum += 10 * std::log10(static_cast<double>(a.size()) / squared);
    }
    QVERIFY2(std::abs(sum / 5 - answer.psnr) < 0.02,
             qPrintable(QStringLiteral("%1, %2").arg(sum / 5).arg(answer.psnr)));
    // Latent statistics: 16 channels, with a deviation.
    QCOMPARE(answer.channel_mean.size(), std::size_t{16});
    for (const float std : answer.channel_std) QVERIFY(std > 0 && std::isfinite(std));
    QVERIFY(answer.statistics.find("decoder stage") != std::string::npos);
  }

  void whatIsMissingIsSaid() {
    DataBrowser browser;
    base::DataQuestion question;
    question.config = settings();
    question.label = 0;
    question.count = 2;
    question.wants_reconstructions = true;
    auto answer = browser.answer(question);
    QCOMPARE(answer.images.size(), std::size_t{2});
    QVERIFY(answer.reconstructions.empty() && answer.no_reconstructions.find("open a run") != std::string::npos);
    // A run whose decoder has saved nothing.
    const auto fresh = base::RunFolder::create(path("fresh"), base::loadConfig(preset_).value());
    QVERIFY(fresh.ok());
    question.run_folder = path("fresh");
    answer = browser.answer(question);
    QVERIFY(answer.no_reconstructions.find("no decoder yet") != std::string::npos);
    QVERIFY(answer.no_statistics.find("at its end") != std::string::npos);
    question.run_folder.clear();
    question.config = settings({"data.path=/no/such/folder"});
    QVERIFY(browser.answer(question).error.find("/no/such/folder is not a folder") != std::string::npos);
    question.config = "sed: 1\n";
    QVERIFY(browser.answer(question).error.find("sed") != std::string::npos);
    question.run_folder = path("nowhere");
    QVERIFY(browser.answer(question).error.find("nowhere") != std::string::npos);
    // And the data that were there are there again.
    question.run_folder.clear();
    question.config = settings();
    QVERIFY(browser.answer(question).error.empty());
  }

  void channelMomentsPoolPositions() {
    // Channel 0: means 1 and 3, variances 4 and 6: mean 2, variance 5 + 1. Channel 1: constant.
    const core::LatentMoments moments{torch::tensor({1.0F, 3.0F, 7.0F, 7.0F}).view({2, 1, 2}),
                                      torch::tensor({4.0F, 6.0F, 0.0F, 0.0F}).view({2, 1, 2})};
    const auto pooled = training::channelMoments(moments);
    QCOMPARE(pooled.mean, (std::vector<float>{2, 7}));
    QVERIFY(std::abs(pooled.std[0] - std::sqrt(6.0F)) < 1e-6F);
    QCOMPARE(pooled.std[1], 0.0F);
  }
};
STUDIO_TEST(TestDataBrowser)
#include "tst_data_browser.moc"
