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
#include "training/diagnostics/operation_trace.h"
#include "training/loop/step_loop.h"

using namespace meanflow;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kSteps = 40, kBadStep = 25, kBatch = 8;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();

/// Two blocks and a read-out: learns the sum of its four inputs.
class TwoBlocksImpl : public torch::nn::Module {
 public:
  TwoBlocksImpl() {
    torch::nn::ModuleList blocks;
    for (int i = 0; i < 2; ++i) {
      blocks->push_back(torch::nn::Linear(4, 4));
      torch::nn::init::eye_(blocks[i]->as<torch::nn::Linear>()->weight);
    }
    blocks_ = register_module("blocks", blocks);
    out_ = register_module("out", torch::nn::Linear(4, 1));
    torch::nn::init::constant_(out_->weight, 0.5);
    const torch::NoGradGuard no_grad;
    for (auto& item : named_parameters())
      if (item.key().ends_with("bias")) item.value().zero_();
  }
  torch::Tensor forward(torch::Tensor x, bool is_bf16) {
    for (std::int64_t i = 0; i < 2; ++i)
      x = core::inBlock("blocks", i, [&] {
        auto& linear = *blocks_[i]->as<torch::nn::Linear>();
        if (!is_bf16) return linear.forward(x);
        return torch::linear(x.to(torch::kBFloat16), linear.weight.to(torch::kBFloat16)).to(torch::kFloat32);
      });
    return core::inBlock("out", -1, [&] { return out_(x); });
  }

 private:
  torch::nn::ModuleList blocks_{nullptr};
  torch::nn::Linear out_{nullptr};
};
TORCH_MODULE(TwoBlocks);

struct Plan {
  int num_workers = 1;
  base::TrainingConfig training;
  base::DiagnosticsConfig diagnostics;
  bool is_bf16 = false;
  std::int64_t bad_step = kBadStep;
  std::int64_t poisoned_position = -1;  ///< Of the bad step; its row is multiplied by `poison`.
  double poison = kNaN;
  std::function<void(TwoBlocks&)> plant;  ///< Called once on every rank, before the bad step's forward pass.
  std::function<void(const base::TrainingEvent&, training::CommandQueue&)> answer;

  Plan() {
    training.steps = kSteps;
    training.batch_size = kBatch;
    training.lr = training.final_lr = 0.01;
    training.schedule = "constant";
    training.ema_decay = 0.9;
    training.log_every = 1;
    training.checkpoint_every = 10;
    training.keep_checkpoints = 0;
    training.sample_every = 0;
    diagnostics.figures_every = 1;
  }
};

class PlannedTask final : public training::StageTask {
 public:
  PlannedTask(const Plan& plan, const base::TrainingConfig& settings) : plan_(plan), settings_(settings) {}

  std::string name() const override { return "teacher"; }
  const base::TrainingConfig& settings() const override { return settings_; }
  std::shared_ptr<torch::nn::Module> module() override { return network_.ptr(); }

  core::LossTerms loss(std::int64_t step, std::span<const std::int64_t> positions) override {
    if (step + 1 == plan_.bad_step && plan_.plant && !std::exchange(is_planted_, true)) {
      const torch::NoGradGuard no_grad;
      plan_.plant(network_);
    }
    std::vector<torch::Tensor> rows;
    for (const auto position : positions) {
      rows.push_back(
          torch::sin(torch::arange(4) * 2.1 + static_cast<double>(step) * 1.3 + static_cast<double>(position) * 0.7));
      if (step + 1 == plan_.bad_step && position == plan_.poisoned_position) rows.back() *= plan_.poison;
    }
    const auto x = torch::stack(rows);
    const auto errors = (network_(x, plan_.is_bf16).squeeze(1) - torch::sin(x.sum(1)).nan_to_num()).square();
    core::LossTerms terms;
    terms.loss = errors.mean();
    terms.err_sq = errors.detach();
    terms.t = torch::linspace(0, 1, x.size(0));
    terms.scalars.emplace_back("mse", terms.loss.detach());
    return terms;
  }

  training::BatchMembers members(std::int64_t step, std::span<const std::int64_t> positions) override {
    training::BatchMembers members;
    for (const auto position : positions) members.samples.push_back(100 * step + position);
    members.labels.assign(members.samples.size(), 3);
    members.noise_seed = 77;
    return members;
  }

 private:
  const Plan& plan_;
  const base::TrainingConfig& settings_;
  TwoBlocks network_;
  bool is_planted_ = false;
};

class KeptEvents final : public base::EventSink {
 public:
  void publish(const base::EventRecord& record) override {
    events.push_back(record.event);
    if (answer) answer(record.event);
  }
  template <class T>
  std::vector<T> all() const {
    std::vector<T> found;
    for (const auto& event : events)
      if (const auto* one = std::get_if<T>(&event)) found.push_back(*one);
    return found;
  }
  std::vector<base::TrainingEvent> events;
  std::function<void(const base::TrainingEvent&)> answer;
};

struct Result {
  std::shared_ptr<KeptEvents> seen = std::make_shared<KeptEvents>();
  std::string failure;
  bool is_diverged = false, is_stopped = false;
  std::vector<torch::Tensor> weights;

  std::vector<base::AlarmRaised> alarms(const std::string& kind) const {
    auto found = seen->all<base::AlarmRaised>();
    std::erase_if(found, [&](const auto& alarm) { return alarm.kind != kind; });
    return found;
  }
};

Result train(const fs::path& root, const Plan& plan) {
  base::RunConfig config;
  config.teacher.training = plan.training;
  config.diagnostics = plan.diagnostics;
  auto folder =
      base::RunFolder::isRunFolder(root) ? base::RunFolder::open(root) : base::RunFolder::create(root, config);
  folder->lock().value();
  training::CommandQueue commands;
  Result result;
  if (plan.answer) result.seen->answer = [&](const base::TrainingEvent& event) { plan.answer(event, commands); };
  base::FanOutSink events;
  events.add("test", result.seen);
  training::RunContext context(*folder, events, commands);
  context.setState(base::RunState::kStarting);
  context.setState(base::RunState::kRunning);
  try {
    training::runWorkers(plan.num_workers, torch::kCPU, [&](training::Worker& worker) {
      base::RunConfig own = config;
      PlannedTask task(plan, own.teacher.training);
      const auto keep = [&] {
        if (!worker.isLeader()) return;
        for (const auto& parameter : task.module()->parameters()) result.weights.push_back(parameter.detach().clone());
      };
      try {
        training::runStage(task, own, worker, context);
      } catch (...) {
        keep();
        throw;
      }
      keep();
    });
  } catch (const training::Diverged& diverged) {
    result.is_diverged = true;
    result.failure = diverged.what();
  } catch (const training::RunInterrupted&) {
    result.is_stopped = true;
  } catch (const std::exception& error) {
    result.failure = error.what();
  }
  result.seen->answer = {};
  return result;
}

auto after(std::int64_t step, base::Command command) {
  return [step, command](const base::TrainingEvent& event, training::CommandQueue& commands) {
    const auto* done = std::get_if<base::StepCompleted>(&event);
    if (done && done->step == step) commands.push(command);
  };
}

torch::Tensor& weightOf(TwoBlocks& network, const std::string& name) { return *network->named_parameters().find(name); }

nlohmann::json jsonOf(const fs::path& file) { return nlohmann::json::parse(base::readFile(file).value()); }

struct Planted {
  Plan plan;
  std::string kind;
  base::FaultOrigin origin;
};

Planted plantedFault(const QByteArray& name) {
  Planted planted;
  auto& plan = planted.plan;
  planted.kind = "non_finite";
  planted.origin.step = kBadStep;
  if (name == "a NaN weight") {
    plan.plant = [](TwoBlocks& network) { weightOf(network, "blocks.1.weight")[0][0] = kNaN; };
    planted.origin.tensor = "blocks.1.weight", planted.origin.block = "blocks.1", planted.origin.operation = "weights";
  } else if (name == "an Inf activation in block 1" || name == "a bf16 overflow in block 0") {
    plan.is_bf16 = name.startsWith("a bf16");
    const std::string block = plan.is_bf16 ? "blocks.0" : "blocks.1";
    plan.plant = [block](TwoBlocks& network) {
      weightOf(network, block + ".weight").fill_(3.4e38);  // finite, but not in bf16
      weightOf(network, block + ".weight")[0].neg_();      // beyond float32 with this bias, whatever goes in
      weightOf(network, block + ".bias").fill_(3.4e38);
    };
    planted.origin.tensor = "activation", planted.origin.block = block;
    planted.origin.operation = plan.is_bf16 ? "aten::copy_" : "aten::addmm";
  } else if (name == "a poisoned sample" || name == "a NaN that one of two ranks sees") {
    plan.poisoned_position = 6;
    if (name.contains("ranks")) plan.num_workers = 2, planted.origin.rank = 1;
    planted.origin.tensor = "latents", planted.origin.operation = "data";
    planted.origin.sample = 100 * (kBadStep - 1) + 6;
  } else if (name == "a sample 10,000 times too large") {
    plan.poisoned_position = 2, plan.poison = 1e4;
    planted.kind = "explosion";
    planted.origin.tensor = "latents", planted.origin.operation = "data";
    planted.origin.sample = 100 * (kBadStep - 1) + 2;
  } else if (name == "a block whose weights grew a thousand times") {
    plan.plant = [](TwoBlocks& network) { weightOf(network, "blocks.1.weight").mul_(1000); };
    planted.kind = "explosion";
    planted.origin.tensor = "blocks.1.weight", planted.origin.block = "blocks.1", planted.origin.operation = "weights";
  }
  return planted;
}

}  // namespace

class TestStageHealth : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aTraceTellsOfNoMemoryThatIsNotFilledYet() {
    std::vector<training::TracedOperation> operations;
    {
      const training::OperationTrace trace;
      (void)torch::linear(torch::ones({3, 4}), torch::ones({5, 4}), torch::ones({5}));
      operations = trace.operations();
    }
    QVERIFY(!operations.empty());
    for (const auto& operation : operations) QVERIFY2(operation.max_abs <= 5, operation.name.c_str());
    for (const auto& operation : operations)
      QVERIFY2(operation.name != "aten::resolve_conj" && operation.name != "aten::empty", operation.name.c_str());
  }
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
    for (const char* name : {"a NaN weight", "an Inf activation in block 1", "a bf16 overflow in block 0",
                             "a poisoned sample", "a NaN that one of two ranks sees", "a sample 10,000 times too large",
                             "a block whose weights grew a thousand times"})
      QTest::newRow(name) << QByteArray(name);
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
