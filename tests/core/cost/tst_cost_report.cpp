// SPDX-License-Identifier: Apache-2.0
#include <QTest>
#include <cmath>

#include "core/base/config/config_io.h"
#include "core/cost/cost_report.h"
#include "tests/support/studio_test.h"

using namespace meanflow;

namespace {
core::CostReport reportOf(const std::string& preset, const std::vector<std::string>& overrides = {},
                          const core::CostOptions& options = {}) {
  return core::costReport(base::loadConfig(preset, overrides).value(), options).value();
}
std::string errorOf(const std::vector<std::string>& overrides) {
  const auto report = core::costReport(base::loadConfig("imagenet-256", overrides).value());
  return report ? "no error" : report.error().message;
}
#define VERIFY_HAS(text, part) QVERIFY2((text).find(part) != std::string::npos, (text).c_str())
}  // namespace

class TestCostReport : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void oneStepCostsWhatThePaperSays() {
    const auto report = reportOf("mf-rae-mfd-256");
    const auto& ours = report.sampling.front();
    QCOMPARE(std::round(ours.network_macs / 1e9), 157.0);
    QCOMPARE(std::floor(ours.decoder_macs / 1e9), 106.0);
    QCOMPARE(std::round(ours.macs() / 1e9), 263.0);
    QCOMPARE(std::round(report.compared.front().macs() / 1e9), 424.0);
    QCOMPARE(std::round(100 * report.saving()), 38.0);
    VERIFY_HAS(core::toText(report),
               "one step: 156.8 + 106.6 = 263.4 against 114.4 + 310.0 = 424.4 GFLOPs, 38 % less (MF-RAE: 157 + 106 = "
               "263 against 114 + 310 = 424, 38 % less)");
  }
  void theStagesOfTheConfigurationAreTheOnesListed() {
    const auto report = reportOf("imagenet-256");
    QCOMPARE(report.stages.size(), std::size_t{2});
    QCOMPARE(report.stages[0].stage, std::string("cmt"));
    QCOMPARE(report.stages[1].stage, std::string("mean_flow"));
    QVERIFY(reportOf("mf-rae-sample-256").stages.empty());
    QCOMPARE(reportOf("demo").stages.size(), std::size_t{5});
  }
  void gpuDaysFollowThroughputAndSteps() {
    const auto slow = reportOf("imagenet-256", {}, {.flops_per_second = 1e14}),
               fast = reportOf("imagenet-256", {}, {.flops_per_second = 4e14});
    QVERIFY(std::abs(slow.gpuDays() / fast.gpuDays() - 4) < 1e-12);
    const auto& stage = slow.stages[1];
    QVERIFY(std::abs(stage.gpu_days - stage.flops_per_step * static_cast<double>(stage.steps) / 1e14 / 86400) <
            1e-9 * stage.gpu_days);
  }
  void moreGpusHoldSmallerBatches() {
    const auto one = reportOf("imagenet-256", {}, {.num_gpus = 1}),
               eight = reportOf("imagenet-256", {}, {.num_gpus = 8});
    QVERIFY(std::abs(one.stages[1].memory.activations / eight.stages[1].memory.activations - 8) < 1e-9);
    QCOMPARE(one.stages[1].memory.weights, eight.stages[1].memory.weights);
  }
  void guidanceAndAutoGuidanceAreCounted() {
    const auto report = reportOf("rae-sample-ditdh-xl-256-ag");
    const auto& plain = report.sampling[3];
    QCOMPARE(plain.network_calls, 49.0);
    QCOMPARE(report.sampling[4].network_macs, 2 * plain.network_macs);
    const auto& guided = report.sampling[5];
    QVERIFY(guided.network_macs > plain.network_macs && guided.network_macs < 1.4 * plain.network_macs);  // by DiT-DH-S
  }
  void theDemosNetworksAreCounted() {
    const auto report = reportOf("demo");
    const auto &teacher = report.parts[2].cost, &student = report.parts[3].cost;
    QVERIFY(std::abs(2 * teacher.macs() - 36e6) < 0.5e6);  // what the preset's comment says
    QCOMPARE(student.parameters - teacher.parameters,
             256.0 + (512 * 96 + 96) + (96 * 96 + 96));  // the embedder of t - r
    QVERIFY(report.published.empty() && report.compared.empty());
  }
  void everyPresetHasAReport() {
    for (const auto& name : base::presetNames()) {
      const auto report = core::costReport(base::loadConfig(name).value());
      QVERIFY2(report.ok(), report.ok() ? "" : (name + ": " + report.error().message).c_str());
      QVERIFY(core::toJson(*report).at("parts").size() >= 4);
      QVERIFY(!core::toText(*report).empty());
    }
  }
  void sizesThatDoNotFitAreRefused() {
    VERIFY_HAS(errorOf({"encoder.input_size=225"}),
               "encoder.input_size: 225 is not a multiple of encoder.model.patch_size 14");
    VERIFY_HAS(errorOf({"teacher.model.num_heads=[7, 16]"}),
               "teacher.model.hidden_size: 1152 is not a multiple of its 7 heads");
    VERIFY_HAS(errorOf({"teacher.model.depth=[28]"}), "teacher.model: hidden_size and depth need 2 values each");
    VERIFY_HAS(errorOf({"teacher.model.patch_size=3"}),
               "teacher.model.patch_size: 3 does not divide the latent side 16");
  }
};
STUDIO_TEST(TestCostReport)
#include "tst_cost_report.moc"
