// SPDX-License-Identifier: Apache-2.0
//
// Faults planted into a small stage: each is caught before the weights change, and its machine-readable diagnosis is
// what was planted.
#include "training/diagnostics/stage_health.h"

#include <torch/torch.h>
#include <QTemporaryDir>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/run/atomic_file.h"
#include "core/checkpoint/tensor_file.h"
#include "core/device/device.h"
#include "core/nn/block_scope.h"
#include "tests/support/studio_test.h"
#include "tests/training/diagnostics/planned_stage.h"
#include "training/loop/step_loop.h"

using namespace meanflow;
using namespace meanflow::testing::planned;
namespace fs = std::filesystem;

namespace {

nlohmann::json jsonOf(const fs::path& file) { return nlohmann::json::parse(base::readFile(file).value()); }

}  // namespace

class TestStageHealth : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void init() {
    core::initialiseTorch();
    temporary_ = std::make_unique<QTemporaryDir>();
  }

  void blocksAreNamedAsTheNetworkScopesThem() {
    for (const auto& [parameter, block] :
         std::vector<std::pair<const char*, const char*>>{{"blocks.3.attn.qkv.weight", "blocks.3"},
                                                          {"encoder.blocks.0.norm1.weight", "encoder.blocks.0"},
                                                          {"decoder_layers.11.output.dense.bias", "decoder_layers.11"},
                                                          {"t_embedder.mlp.2.weight", "t_embedder"},
                                                          {"pos_embed", "pos_embed"}})
      QCOMPARE(training::blockOf(parameter), std::string(block));
  }

  void plantedFaultsAreNamed_data() {
    QTest::addColumn<QByteArray>("fault");
    for (const auto& name : plantedFaultNames()) QTest::newRow(name.constData()) << name;
  }
  void plantedFaultsAreNamed() {
    QFETCH(const QByteArray, fault);
    const auto planted = plantedFault(fault);
    const auto result = train(run("a"), planted.plan);
    QVERIFY2(result.is_diverged, result.failure.c_str());
    const auto alarms = result.alarms(planted.kind);
    QCOMPARE(alarms.size(), std::size_t(1));
    QCOMPARE(alarms[0].step, kBadStep);
    QCOMPARE(alarms[0].action, std::string("stop"));
    const auto diagnoses = result.seen->all<base::DiagnosisReady>();
    QCOMPARE(diagnoses.size(), std::size_t(1));
    const auto& found = diagnoses[0];
    QVERIFY2(found.origin == planted.origin, qPrintable(QStringLiteral("%1 | %2 | %3 | sample %4 | rank %5 | %6")
                                                            .arg(QString::fromStdString(found.origin.tensor),
                                                                 QString::fromStdString(found.origin.block),
                                                                 QString::fromStdString(found.origin.operation))
                                                            .arg(found.origin.sample)
                                                            .arg(found.origin.rank)
                                                            .arg(QString::fromStdString(found.text))));
    if (planted.kind == "explosion") QCOMPARE(found.replay_error, 0.0);  // to the bit
    const auto report = run("a") / found.report;
    const auto json = jsonOf(report / "diagnosis.json");
    QCOMPARE(json["step"].get<std::int64_t>(), kBadStep);
    QCOMPARE(json["tensor"].get<std::string>(), planted.origin.tensor);
    QCOMPARE(json["block"].get<std::string>(), planted.origin.block);
    QCOMPARE(json["operation"].get<std::string>(), planted.origin.operation);
    QCOMPARE(json["sample"].get<std::int64_t>(), planted.origin.sample);
    QCOMPARE(json["rank"].get<int>(), planted.origin.rank);
    for (const char* file :
         {"report.md", "flight_recorder.jsonl", "trace.csv", "config.yaml", "steps.svg", "blocks.svg"})
      QVERIFY2(fs::exists(report / file), file);
  }

  void aLearningRateTimesAHundredIsNamed() {
    Plan plan;
    plan.answer = after(20, base::ChangeSetting{"teacher.training.lr", "1"});
    plan.training.steps = 200;
    plan.training.clip_grad = 0;
    const auto result = train(run("a"), plan);
    QVERIFY2(result.is_diverged, result.failure.c_str());
    const auto diagnoses = result.seen->all<base::DiagnosisReady>();
    QCOMPARE(diagnoses.size(), std::size_t(1));
    QCOMPARE(diagnoses[0].kind, std::string("explosion"));
    QVERIFY(diagnoses[0].step > 20 && diagnoses[0].step < 40);
    QCOMPARE(diagnoses[0].origin.tensor, std::string("learning_rate"));
    QCOMPARE(diagnoses[0].origin.operation, std::string("optimizer"));
    QVERIFY2(result.failure.find("100 times") != std::string::npos, result.failure.c_str());
  }

  void aMomentSetToZeroIsNamed_data() {
    QTest::addColumn<QString>("name");
    QTest::newRow("first") << "blocks.1.weight.exp_avg";
    QTest::newRow("second") << "blocks.1.weight.exp_avg_sq";
  }
  void aMomentSetToZeroIsNamed() {
    QFETCH(const QString, name);
    const std::string moment = name.toStdString();
    Plan plan;
    plan.answer = after(19, base::StopAndSave{});
    QVERIFY(train(run("a"), plan).is_stopped);
    const auto file = base::RunFolder::open(run("a"))->checkpoint("teacher", 20) / "optimizer.safetensors";
    auto moments = core::loadTensors(file.string()).value();
    moments.at(moment).zero_();
    QVERIFY(core::saveTensors(file.string(), moments).ok());
    plan.answer = {};
    plan.diagnostics.figures_every = 10;  // what was restored is looked at all the same
    const auto result = train(run("a"), plan);
    const auto alarms = result.alarms("moments");
    QCOMPARE(alarms.size(), std::size_t(1));
    QCOMPARE(alarms[0].step, std::int64_t(21));
    QCOMPARE(alarms[0].action, std::string("warn"));
    QCOMPARE(alarms[0].origin.tensor, moment);
    QCOMPARE(alarms[0].origin.block, std::string("blocks.1"));
    QVERIFY(train(run("healthy"), Plan()).alarms("moments").empty());
  }

  void aHealthyRunRaisesNothing() {
    const auto result = train(run("a"), Plan());
    QVERIFY2(result.failure.empty(), result.failure.c_str());
    QVERIFY(result.seen->all<base::AlarmRaised>().empty());
    QVERIFY(!fs::exists(run("a") / "teacher/diagnostics"));
  }

  void skippingLeavesTheStepOutAndCountsIt_data() {
    QTest::addColumn<int>("num_workers");
    QTest::newRow("one worker") << 1;
    QTest::newRow("two workers") << 2;
  }
  void skippingLeavesTheStepOutAndCountsIt() {
    QFETCH(const int, num_workers);
    Plan plan;
    plan.num_workers = num_workers;
    plan.poisoned_position = 6;
    plan.diagnostics.on_divergence = "skip";
    const auto result = train(run("a"), plan);
    QVERIFY2(result.failure.empty(), result.failure.c_str());
    const auto alarms = result.alarms("non_finite");
    QCOMPARE(alarms.size(), std::size_t(1));
    QCOMPARE(alarms[0].action, std::string("skip"));
    double counted = 0;
    for (const auto& step : result.seen->all<base::StepCompleted>()) {
      QVERIFY(step.step != kBadStep);
      for (const auto& scalar : step.scalars)
        if (scalar.name == "skipped_steps") counted = scalar.value;
    }
    QCOMPARE(counted, 1.0);
    // The same run with that step left out by its configuration.
    Plan told;
    told.num_workers = plan.num_workers;
    told.training.skip_steps = {kBadStep};
    const auto expected = train(run("told"), told);
    QVERIFY(expected.seen->all<base::AlarmRaised>().empty());
    for (std::size_t i = 0; i < expected.weights.size(); ++i)
      QVERIFY(torch::equal(result.weights[i], expected.weights[i]));
  }

  void aRunThatIsBadForGoodStopsAfterSoManySkips() {
    Plan plan;
    plan.plant = [](TwoBlocks& network) { weightOf(network, "out.weight").fill_(kInf); };
    plan.diagnostics.on_divergence = "skip";
    plan.diagnostics.max_skips = 5;
    const auto result = train(run("a"), plan);
    QVERIFY(result.is_diverged);
    QCOMPARE(result.alarms("non_finite").size(), std::size_t(6));
    QCOMPARE(result.alarms("non_finite").back().action, std::string("stop"));
    QCOMPARE(result.seen->all<base::DiagnosisReady>().size(), std::size_t(2));  // the first, and the one that stops
  }

  void rollingBackPassesOverTheBadSteps() {
    Plan plan;
    plan.poisoned_position = 6, plan.poison = 1e4;
    plan.diagnostics.on_divergence = "roll_back";
    plan.diagnostics.rollback_skips = 2;
    const auto result = train(run("a"), plan);
    QVERIFY2(result.failure.empty(), result.failure.c_str());
    QCOMPARE(result.alarms("explosion").size(), std::size_t(1));
    QCOMPARE(result.alarms("explosion")[0].action, std::string("roll_back"));
    const auto starts = result.seen->all<base::StageStarted>();
    QCOMPARE(starts.size(), std::size_t(2));
    QCOMPARE(starts[1].step, std::int64_t(20));
    const auto config = base::RunFolder::open(run("a"))->readConfig();
    QCOMPARE(config->teacher.training.skip_steps, (std::vector<std::int64_t>{kBadStep - 1, kBadStep}));
    Plan told;
    told.training.skip_steps = {kBadStep - 1, kBadStep};
    const auto expected = train(run("told"), told);
    for (std::size_t i = 0; i < expected.weights.size(); ++i)
      QVERIFY(torch::equal(result.weights[i], expected.weights[i]));
  }

  void aStageThatIsBadFromItsStartRollsBackToItsStartAndStops() {
    Plan plan;
    plan.training.checkpoint_every = 1000;
    plan.plant = [](TwoBlocks& network) { weightOf(network, "out.weight").fill_(kInf); };
    plan.diagnostics.on_divergence = "roll_back";
    const auto result = train(run("a"), plan);  // planted once: the start of the stage is sound
    QVERIFY2(result.failure.empty(), result.failure.c_str());
    QCOMPARE(result.seen->all<base::StageStarted>().back().step, std::int64_t(0));
  }

  void theLastHealthyCheckpointIsKept() {
    Plan plan;
    plan.training.keep_checkpoints = 1;
    plan.poisoned_position = 6, plan.poison = 8;  // a spike, no explosion
    const auto result = train(run("a"), plan);
    QVERIFY2(result.failure.empty(), result.failure.c_str());
    QCOMPARE(result.alarms("spike").size(), std::size_t(1));
    QCOMPARE(result.alarms("spike")[0].action, std::string("warn"));
    std::vector<std::int64_t> steps;
    for (const auto& entry : base::RunFolder::open(run("a"))->listCheckpoints("teacher")) steps.push_back(entry.step);
    QCOMPARE(steps, (std::vector<std::int64_t>{20, 40}));
  }

  void aHeldCheckpointIsLetGoOfAfterQuietStepsAlsoByALaterProcess() {
    Plan plan;
    plan.training.keep_checkpoints = 1;
    plan.poisoned_position = 6, plan.poison = 8;
    QVERIFY(train(run("a"), plan).failure.empty());
    const auto held = run("a") / "teacher/checkpoints/held.json";
    QVERIFY(fs::exists(held));
    plan.training.steps = 100;  // 60 quiet steps are not enough
    QVERIFY(train(run("a"), plan).failure.empty());
    QVERIFY(fs::exists(held));
    plan.training.steps = 320;
    plan.training.skip_steps = {300};  // the two hundredth quiet step of this process
    QVERIFY(train(run("a"), plan).failure.empty());
    QVERIFY(!fs::exists(held));
    std::vector<std::int64_t> steps;
    for (const auto& entry : base::RunFolder::open(run("a"))->listCheckpoints("teacher")) steps.push_back(entry.step);
    QCOMPARE(steps, (std::vector<std::int64_t>{320}));
  }

  void aRollBackFromTheFirstStepPassesOverStepsThatThereAre() {
    Plan plan;
    plan.plant = [](TwoBlocks& network) { weightOf(network, "out.weight").fill_(kInf); };
    plan.bad_step = 1;
    plan.diagnostics.on_divergence = "roll_back";
    plan.diagnostics.rollback_skips = 5;
    const auto result = train(run("a"), plan);
    QVERIFY2(result.failure.empty(), result.failure.c_str());
    QCOMPARE(base::RunFolder::open(run("a"))->readConfig()->teacher.training.skip_steps, std::vector<std::int64_t>{1});
  }

  void theRecorderHoldsTheLastStepsOfAllRanks() {
    Plan plan;
    plan.num_workers = 2;
    plan.poisoned_position = 6;
    plan.diagnostics.recorder_steps = 5;
    const auto result = train(run("a"), plan);
    const auto folder = run("a") / result.seen->all<base::DiagnosisReady>().at(0).report;
    std::vector<nlohmann::json> lines;
    const auto text = base::readFile(folder / "flight_recorder.jsonl").value();
    for (const auto& line : QString::fromStdString(text).split(u'\n', Qt::SkipEmptyParts))
      lines.push_back(nlohmann::json::parse(line.toStdString()));
    QCOMPARE(lines.size(), std::size_t(5));
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const auto step = kBadStep - 4 + static_cast<std::int64_t>(i);
      QCOMPARE(lines[i]["step"].get<std::int64_t>(), step);
      QCOMPARE(lines[i]["lr"].get<double>(), 0.01);
      QCOMPARE(lines[i]["noise_seed"].get<int>(), 77);
      QCOMPARE(lines[i]["samples"].size(), std::size_t(kBatch));
      QCOMPARE(lines[i]["samples"][7].get<std::int64_t>(), 100 * (step - 1) + 7);
      QCOMPARE(lines[i]["t"].size(), std::size_t(kBatch));
      QCOMPARE(lines[i]["squared_error"].size(), std::size_t(kBatch));
      QCOMPARE(lines[i]["block_grad_norm"].size(), std::size_t(3));
      QCOMPARE(lines[i]["squared_error"][6].is_null(), step == kBadStep);
    }
    QCOMPARE(lines.back()["action"].get<std::string>(), std::string("stop"));
  }

  void figuresOfBlocksAreThoseOfTheirTensors() {
    Plan plan;
    plan.diagnostics.activations_every = 20;
    const auto result = train(run("a"), plan);
    const auto all = result.seen->all<base::BlockFiguresReady>();
    QCOMPARE(all.size(), std::size_t(kSteps));
    const auto& last = all.back();
    QCOMPARE(last.blocks, (std::vector<std::string>{"blocks.0", "blocks.1", "out"}));
    const auto figure = [](const base::BlockFiguresReady& event, const std::string& name) {
      for (const auto& one : event.figures)
        if (one.name == name) return one.values;
      return std::vector<float>();
    };
    const auto norm = [](const torch::Tensor& a, const torch::Tensor& b) {
      return std::sqrt((a.square().sum() + b.square().sum()).item<float>());
    };
    const auto checkpoint = base::RunFolder::open(run("a"))->checkpoint("teacher", kSteps);
    const auto load = [&](const char* file) { return core::loadTensors((checkpoint / file).string()).value(); };
    const auto model = load("model.safetensors"), ema = load("ema.safetensors");
    QVERIFY(std::abs(figure(last, "param_norm")[1] - norm(model.at("blocks.1.weight"), model.at("blocks.1.bias"))) <
            1e-5f);
    QVERIFY(std::abs(figure(last, "ema_distance")[0] - norm(model.at("blocks.0.weight") - ema.at("blocks.0.weight"),
                                                            model.at("blocks.0.bias") - ema.at("blocks.0.bias"))) <
            1e-6f);
    // The global norm of a step is that of its blocks together; the first update of AdamW moves every entry by lr.
    const auto steps = result.seen->all<base::StepCompleted>();
    double sum = 0;
    for (const float value : figure(last, "grad_norm")) sum += static_cast<double>(value) * value;
    for (const auto& scalar : steps.back().scalars)
      if (scalar.name == "grad_norm") QVERIFY(std::abs(std::sqrt(sum) - scalar.value) < 1e-5 * scalar.value);
    QVERIFY(std::abs(figure(all[0], "update_norm")[0] - 0.01f * std::sqrt(20.0f)) < 1e-4f);
    QVERIFY(figure(all[1], "activation_rms").empty());
    const auto rms = figure(all[19], "activation_rms");
    QCOMPARE(rms.size(), std::size_t(3));
    for (const float value : rms) QVERIFY(value > 0.01f && value < 10);
    QVERIFY(std::isnan(figure(all[19], "attention_logit_max")[0]));  // no attention here
  }

 private:
  fs::path run(const std::string& name) const { return fs::path(temporary_->path().toStdString()) / name; }
  std::unique_ptr<QTemporaryDir> temporary_;
};

STUDIO_TEST(TestStageHealth)
#include "tst_stage_health.moc"
