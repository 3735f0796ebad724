// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/judge.h"

#include "core/evaluation/class_accuracy.h"
#include "tests/support/studio_test.h"

using namespace meanflow;

namespace {

/// Three classes told apart by the colour of a noisy square.
core::ImageDataset colourSquares() {
  core::ImageDataset dataset;
  dataset.class_names = {"red", "green", "blue"};
  dataset.may_flip = {true, false, true};
  const auto make = [](std::int64_t count, torch::Tensor& images, torch::Tensor& labels) {
    labels = torch::arange(count).remainder(3);
    images = torch::randint(150, 256, {count, 3, 16, 16}, torch::kUInt8);
    for (std::int64_t i = 0; i < count; ++i) images[i][i % 3].slice(0, 4, 12).slice(1, 4, 12).fill_(20);
  };
  make(96, dataset.train_images, dataset.train_labels);
  make(30, dataset.test_images, dataset.test_labels);
  return dataset;
}

base::JudgeConfig tinyJudge() { return {.width = 4, .features = 8, .steps = 60, .batch_size = 24, .lr = 1e-2}; }

}  // namespace

class TestJudge : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void init() { torch::manual_seed(7); }

  void hasTheDocumentedSizeAndShapes() {
    core::Judge judge({}, 8);
    std::int64_t count = 0;
    for (const auto& parameter : judge.network()->parameters()) count += parameter.numel();
    QVERIFY2(count > 100'000 && count < 200'000, qPrintable(QString::number(count)));
    const auto images = torch::rand({3, 3, 32, 32});
    QCOMPARE(judge.features(images).sizes(), (torch::IntArrayRef{3, 64}));
    QCOMPARE(judge.logits(images).sizes(), (torch::IntArrayRef{3, 8}));
    QVERIFY_THROWS_EXCEPTION(c10::Error, judge.features(torch::rand({3, 1, 32, 32})));
  }

  void learnsWhatCanBeTold() {
    const auto dataset = colourSquares();
    std::vector<core::JudgeProgress> progress;
    core::JudgeTraining training{.seed = 3};
    training.on_progress = [&](const core::JudgeProgress& p) { progress.push_back(p); };
    const auto judge = core::trainJudge(dataset, tinyJudge(), training);
    QVERIFY(core::classAccuracy(judge.logits(dataset.test_images), dataset.test_labels).overall > 0.95);
    QCOMPARE(progress.size(), std::size_t{6});
    QCOMPARE(progress.back().step, std::int64_t{60});
    QVERIFY(progress.back().loss < progress.front().loss);
  }

  void sameSeedSameWeightsOtherSeedOthers() {
    const auto dataset = colourSquares();
    auto config = tinyJudge();
    config.steps = 5;
    const auto weights = [&](std::uint64_t seed) {
      torch::rand({5});  // the global generator has no influence
      return core::trainJudge(dataset, config, {.seed = seed}).state().at("head.weight");
    };
    const auto first = weights(1);
    QVERIFY(torch::equal(first, weights(1)));
    QVERIFY(!torch::equal(first, weights(2)));
  }

  void storedStateGivesTheSameLogits() {
    const auto dataset = colourSquares();
    auto config = tinyJudge();
    config.steps = 5;
    const auto judge = core::trainJudge(dataset, config, {});
    core::Judge copy(config, 3);
    copy.loadState(judge.state());
    QVERIFY(torch::equal(copy.logits(dataset.test_images), judge.logits(dataset.test_images)));
    auto lacking = judge.state();
    lacking.erase("head.bias");
    QVERIFY_THROWS_EXCEPTION(c10::Error, copy.loadState(lacking));
    QVERIFY_THROWS_EXCEPTION(c10::Error, core::Judge(config, 4).loadState(judge.state()));
  }

  void bytesAndUnitRangeGiveTheSameFeatures() {
    core::Judge judge(tinyJudge(), 3);
    const auto bytes = torch::randint(0, 256, {260, 3, 16, 16}, torch::kUInt8);  // more than one part
    const auto features = judge.features(bytes);
    QVERIFY(torch::allclose(features, judge.features(core::toUnitRange(bytes)), 1e-5, 1e-6));
    QVERIFY(torch::allclose(features.slice(0, 255), judge.features(bytes.slice(0, 255)), 1e-4, 1e-5));
    QVERIFY(torch::equal(judge.classify(features), judge.logits(bytes)));
  }
};
STUDIO_TEST(TestJudge)
#include "tst_judge.moc"
