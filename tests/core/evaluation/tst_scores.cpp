// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/class_accuracy.h"
#include "core/evaluation/psnr.h"
#include "tests/core/data/golden_tensors.h"
#include "tests/support/studio_test.h"

using namespace meanflow;

class TestScores : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void psnrEqualsTheGoldenValues() {
    const auto tensors = testing::goldenTensors("psnr_ssim", "io.safetensors");
    const auto info = testing::goldenCase("psnr_ssim");
    for (const auto& [name, results] : info["results"].items()) {
      const double value = core::psnr(tensors.at(name + ".rec"), tensors.at(name + ".ref"));
      QVERIFY2(std::abs(value - results["psnr"].get<double>()) < 1e-3, name.c_str());
    }
  }

  void psnrOfAKnownErrorAveragesOverImages() {
    const auto reference = torch::zeros({2, 3, 4, 4});
    auto images = reference.clone();
    images[0].fill_(0.1);   // mse 1e-2: 20 dB
    images[1].fill_(0.01);  // mse 1e-4: 40 dB
    QVERIFY(std::abs(core::psnr(images, reference) - 30) < 1e-5);
    QVERIFY_THROWS_EXCEPTION(c10::Error, core::psnr(images, reference[0]));
  }

  void accuracyCountsByClass() {
    const auto logits = torch::eye(4).index_select(0, torch::tensor({0, 1, 1, 0, 2}));
    const auto accuracy = core::classAccuracy(logits, torch::tensor({0, 0, 1, 0, 1}));
    QCOMPARE(accuracy.overall, 0.6);
    QCOMPARE(accuracy.counts, (std::vector<std::int64_t>{3, 2, 0, 0}));
    QCOMPARE(accuracy.by_class[0], 2.0 / 3);
    QCOMPARE(accuracy.by_class[1], 0.5);
    QVERIFY(std::isnan(accuracy.by_class[2]));
  }
};
STUDIO_TEST(TestScores)
#include "tst_scores.moc"
