// SPDX-License-Identifier: Apache-2.0
//
// Measurements between steps, on the real tasks with tiny networks and on a made-up one.
#include "training/diagnostics/stage_probes.h"

#include <torch/torch.h>

#include <QTemporaryDir>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <map>
#include <stdexcept>

#include "core/base/config/config_io.h"
#include "core/device/device.h"
#include "core/flow/gaussian_flow.h"
#include "core/flow/noise.h"
#include "core/flow/time_schedule.h"
#include "tests/support/studio_test.h"
#include "tests/training/run/tiny_preset.h"
#include "training/stages/tasks.h"

using namespace meanflow;
namespace fs = std::filesystem;

namespace {

using Events = std::vector<base::TrainingEvent>;

/// Weights like those of a trained network: a new one's last layer is zero, and so is everything it says.
void roughen(torch::nn::Module& module, std::uint64_t seed) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(seed);
  for (auto& parameter : module.parameters()) parameter.add_(0.05 * torch::randn(parameter.sizes()));
}

/// A stage that gives what a test puts together.
class MadeUpTask final : public training::StageTask {
 public:
  explicit MadeUpTask(training::ProbeSet set) : set_(std::make_shared<training::ProbeSet>(std::move(set))) {}
  std::string name() const override { return "mean_flow"; }
  const base::TrainingConfig& settings() const override { return settings_; }
  std::shared_ptr<torch::nn::Module> module() override { return nullptr; }
  core::LossTerms loss(std::int64_t, std::span<const std::int64_t>) override { return {}; }
  training::BatchMembers members(std::int64_t, std::span<const std::int64_t>) override { return {}; }
  std::shared_ptr<const training::ProbeSet> probes() override {
    ++num_asked;
    return set_;
  }
  int num_asked = 0;

 private:
  base::TrainingConfig settings_;
  std::shared_ptr<const training::ProbeSet> set_;
};

core::GaussianFlow flowOf() { return {.mean = torch::full({1, 2, 1, 1}, 0.7), .std = 0.5}; }

training::ProbeSet madeUpSet() {
  const auto normal = [](std::uint64_t seed) { return core::noise(seed, core::Stream::kEps, 0, 8, {2, 2, 2}); };
  const auto t = torch::linspace(0.3, 0.9, 8);
  training::ProbeSet set;
  set.u = flowOf().flowMap();
  set.teacher = set.taught = set.oracle = flowOf().velocityField();
  set.samples = {
      .x = 0.7 + 0.5 * normal(1), .eps = normal(2), .r = 0.5 * t, .t = t, .y = torch::zeros({8}, torch::kInt64)};
  set.jump_samples = set.samples;
  set.derivative = [] { return core::TransportDerivativeOptions{}; };
  set.precision = "fp32";
  set.z = normal(3);
  set.y = set.samples.y;
  set.grid = core::TimeSchedule::withShift(2).grid(17);
  return set;
}

base::RunConfig everyTwoSteps() {
  base::RunConfig config;
  config.diagnostics.residuals_every = config.diagnostics.derivative_every = config.diagnostics.jump_map_every = 2;
  return config;
}

template <class Event>
std::vector<Event> only(const Events& events) {
  std::vector<Event> found;
  for (const auto& event : events)
    if (const auto* e = std::get_if<Event>(&event)) found.push_back(*e);
  return found;
}

Events dueOn(training::StageTask& task, const base::RunConfig& config, std::int64_t step) {
  Events events;
  training::runWorkers(1, torch::kCPU, [&](training::Worker& worker) {
    events = training::StageProbes(task, config, worker).due(step);
  });
  return events;
}

bool isFinite(const base::ResidualTerms& terms) {
  return std::isfinite(terms.single_point) && std::isfinite(terms.teacher_oracle) && std::isfinite(terms.oracle_bias) &&
         std::isfinite(terms.cross);
}

}  // namespace

class TestStageProbes : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    core::initialiseTorch();
    QVERIFY(temporary_.isValid());
    auto config = base::loadConfig(testing::writeTinyPreset(temporary_.path().toStdString()), {});
    QVERIFY2(config.ok(), config ? "" : config.error().message.c_str());
    config_ = *config;
    config_.diagnostics.residuals_every = 2;
    config_.diagnostics.derivative_every = 3;
    config_.diagnostics.jump_map_every = 4;
    config_.diagnostics.probe_samples = 10;
    config_.diagnostics.jump_map_steps = 16;
    auto data = core::loadDataset(config_.data);
    QVERIFY(data.ok());
    data_ = std::make_shared<const core::ImageDataset>(std::move(*data));
  }

  void meanFlowIsMeasuredInEveryWayWhenDue() {
    std::map<std::int64_t, Events> due;
    std::vector<double> spent;
    Events after_a_change;
    withTask("mean_flow", 1, [&](training::StageTask& task, training::Workspace& workspace, training::Worker& worker) {
      training::StageProbes probes(task, workspace.config(), worker);
      for (const std::int64_t step : {1, 2, 3, 4}) {
        due[step] = probes.due(step);
        spent.push_back(probes.spentSeconds());
      }
      roughen(*task.module(), 3);
      after_a_change = probes.due(2);
    });
    QVERIFY(due[1].empty());
    QVERIFY(spent[0] == 0 && spent[1] > 0);
    QCOMPARE(due[2].size(), std::size_t(1));
    const auto residuals = only<base::VelocityResidualsReady>(due[2]).at(0);
    QCOMPARE(residuals.stage, std::string("mean_flow"));
    QCOMPARE(residuals.step, std::int64_t(2));
    QCOMPARE(residuals.eta, 1.0);
    QCOMPARE(residuals.num_samples, std::int64_t(10));
    QVERIFY(isFinite(residuals.overall));
    // A handful of latents: the posterior knows which one it was, and only the teacher is off.
    QVERIFY(residuals.overall.teacher_oracle > 0.1 && residuals.overall.single_point >= 0);

    QCOMPARE(due[3].size(), std::size_t(1));
    const auto health = only<base::DerivativeHealthReady>(due[3]).at(0);
    QCOMPARE(health.delta_t, 0.005);
    QCOMPARE(health.errors.size(), std::size_t(13));
    QCOMPARE(health.errors_fp64.size(), std::size_t(13));
    QCOMPARE(health.precision, std::string("fp32"));
    QVERIFY2(health.suggested_delta_t > 1e-4 && health.suggested_delta_t < 0.1,
             qPrintable(QString::number(health.suggested_delta_t)));
    QVERIFY(health.errors_fp64[0] < 1e-3F * health.errors[0]);  // really in float64

    QCOMPARE(due[4].size(), std::size_t(2));
    const auto map = only<base::CmtMatrixReady>(due[4]).at(0);
    QCOMPARE(map.reference, std::string("fine"));
    QCOMPARE(map.step, std::int64_t(4));
    QCOMPARE(map.times.size(), std::size_t(9));
    QCOMPARE(map.times.front(), 1.0F);
    QVERIFY(map.errors[1] > 0 && std::isfinite(map.errors[8]) && std::isnan(map.errors[9]));
    // The probes are fixed: while nobody trains, the same again.
    QCOMPARE(only<base::VelocityResidualsReady>(due[4]).at(0).overall, residuals.overall);
    QVERIFY(only<base::VelocityResidualsReady>(after_a_change).at(0).overall.oracle_bias !=
            residuals.overall.oracle_bias);
  }

  void settingsHoldAtOnce() {
    Events second, third, fifth;
    torch::Tensor before, after;
    withTask("mean_flow", 1, [&](training::StageTask& task, training::Workspace& workspace, training::Worker& worker) {
      training::StageProbes probes(task, workspace.config(), worker);
      workspace.config().diagnostics.residuals_every = 5;
      second = probes.due(2);
      fifth = probes.due(5);
      const std::vector<std::int64_t> positions = {0, 1, 2, 3, 4, 5, 6, 7};
      before = task.loss(0, positions).err_sq;
      workspace.config().mean_flow.delta_t = 1e-5;
      third = probes.due(3);
      after = task.loss(0, positions).err_sq;
    });
    QVERIFY(second.empty());
    QCOMPARE(only<base::VelocityResidualsReady>(fifth).size(), std::size_t(1));
    QCOMPARE(only<base::DerivativeHealthReady>(third).at(0).delta_t, 1e-5);
    QCOMPARE(only<base::DerivativeHealthReady>(third).at(0).verdict, std::string("rounding"));
    QVERIFY(!torch::equal(before, after));  // what is trained takes the new step too
  }

  void midTrainingHasAMapOfJumpsAlone() {
    std::map<std::int64_t, Events> due;
    withTask("cmt", 1, [&](training::StageTask& task, training::Workspace& workspace, training::Worker& worker) {
      training::StageProbes probes(task, workspace.config(), worker);
      for (const std::int64_t step : {2, 3, 12}) due[step] = probes.due(step);
    });
    QVERIFY(due[2].empty() && due[3].empty());
    QCOMPARE(due[12].size(), std::size_t(1));
    QCOMPARE(only<base::CmtMatrixReady>(due[12]).at(0).stage, std::string("cmt"));
  }

  void stagesWithoutAStudentAreLeftAlone() {
    Events events = {base::StateChanged{}};
    withTask("teacher", 1, [&](training::StageTask& task, training::Workspace& workspace, training::Worker& worker) {
      events = training::StageProbes(task, workspace.config(), worker).due(12);
    });
    QVERIFY(events.empty());
  }

  void measuringDoesNotChangeTheLosses() {
    std::map<bool, torch::Tensor> losses;
    std::map<bool, std::size_t> num_events;
    for (const bool is_measured : {false, true})
      withTask("mean_flow", 1,
               [&](training::StageTask& task, training::Workspace& workspace, training::Worker& worker) {
                 training::StageProbes probes(task, workspace.config(), worker);
                 const std::vector<std::int64_t> positions = {0, 1, 2, 3, 4, 5};
                 torch::optim::SGD sgd(task.module()->parameters(), 0.1);
                 std::vector<torch::Tensor> all;
                 for (std::int64_t step = 0; step < 5; ++step) {
                   for (auto& parameter : task.module()->parameters()) parameter.mutable_grad().reset();
                   const auto loss = task.loss(step, positions).loss;
                   loss.backward();
                   sgd.step();
                   all.push_back(loss.detach());
                   if (is_measured) num_events[is_measured] += probes.due(step + 1).size();
                 }
                 losses[is_measured] = torch::stack(all);
               });
    QVERIFY(torch::equal(losses[true], losses[false]));
    QCOMPARE(num_events[true], std::size_t(4));  // steps 2, 3 and twice 4
  }

  void onlyTheLeaderMeasuresAndTheOthersWait() {
    std::atomic<int> num_events{0}, num_of_others{0};
    withTask("mean_flow", 2, [&](training::StageTask& task, training::Workspace& workspace, training::Worker& worker) {
      const std::vector<std::int64_t> position = {worker.rank()};
      task.loss(0, position);  // encodes the latents, all ranks together
      training::StageProbes probes(task, workspace.config(), worker);
      for (std::int64_t step = 1; step <= 4; ++step) {
        const auto events = probes.due(step);
        (worker.isLeader() ? num_events : num_of_others) += static_cast<int>(events.size());
      }
    });
    QCOMPARE(num_events.load(), 4);
    QCOMPARE(num_of_others.load(), 0);
  }

  void theExactFlowHasNothingToReport() {
    MadeUpTask task(madeUpSet());
    const auto events = dueOn(task, everyTwoSteps(), 2);
    QCOMPARE(events.size(), std::size_t(3));
    QCOMPARE(task.num_asked, 1);
    const auto residuals = only<base::VelocityResidualsReady>(events).at(0);
    QVERIFY(residuals.overall.oracle_bias < 1e-10 && residuals.overall.teacher_oracle < 1e-10);
    QCOMPARE(residuals.eta, 0.0);  // the data's velocity
    QCOMPARE(only<base::DerivativeHealthReady>(events).at(0).verdict, std::string("healthy"));
    QVERIFY(only<base::DerivativeHealthReady>(events).at(0).errors_fp64.empty());
    QVERIFY(only<base::CmtMatrixReady>(events).at(0).errors[8] < 0.2);
  }

  void withoutATeacherThereIsNoMapAndItsTermsAreNotKnown() {
    auto set = madeUpSet();
    set.teacher = set.taught = {};
    MadeUpTask task(std::move(set));
    const auto events = dueOn(task, everyTwoSteps(), 2);
    QCOMPARE(events.size(), std::size_t(2));
    QVERIFY(std::isnan(only<base::VelocityResidualsReady>(events).at(0).overall.teacher_oracle));
  }

  void aMeasurementThatFailsIsOneWarningAndSwitchedOff() {
    auto set = madeUpSet();
    set.oracle = [](const auto&, const auto&, const auto&) -> torch::Tensor {
      throw std::runtime_error("no forward derivative");
    };
    MadeUpTask task(std::move(set));
    const auto config = everyTwoSteps();
    for (const int num_workers : {1, 2}) {
      std::vector<Events> first(2), second(2);
      training::runWorkers(num_workers, torch::kCPU, [&](training::Worker& worker) {
        training::StageProbes probes(task, config, worker);
        const auto rank = static_cast<std::size_t>(worker.rank());
        first[rank] = probes.due(2);
        second[rank] = probes.due(4);
      });
      QVERIFY(first[1].empty() && second[1].empty());
      const auto warnings = only<base::LogMessage>(first[0]);
      QCOMPARE(warnings.size(), std::size_t(1));
      QCOMPARE(warnings[0].level, std::string("warn"));
      for (const char* part : {"mean_flow", "Proposition 3.1", "diagnostics.residuals_every", "no forward derivative"})
        QVERIFY2(warnings[0].text.find(part) != std::string::npos, warnings[0].text.c_str());
      QCOMPARE(first[0].size(), std::size_t(3));  // the other two went well
      QCOMPARE(second[0].size(), std::size_t(2));
      QVERIFY(only<base::LogMessage>(second[0]).empty());
    }
  }

 private:
  /// Runs `body` on every rank with a stage's own task, on networks that nobody has trained but that say something.
  void withTask(const std::string& stage, int num_workers,
                const std::function<void(training::StageTask&, training::Workspace&, training::Worker&)>& body) {
    const auto root = fs::path(temporary_.path().toStdString()) / ("run" + std::to_string(num_runs_++));
    auto folder = base::RunFolder::create(root, config_);
    folder->lock().value();
    base::FanOutSink events;
    training::CommandQueue commands;
    training::RunContext context(*folder, events, commands);
    context.if_missing = training::IfMissing::kInitial;
    training::runWorkers(num_workers, torch::kCPU, [&](training::Worker& worker) {
      training::Workspace workspace(config_, data_, worker, context);
      roughen(*workspace.teacher(), 1);
      const auto task = training::makeStageTask(stage, workspace);
      roughen(*task->module(), 2);
      task->begin(0);
      body(*task, workspace, worker);
    });
  }

  QTemporaryDir temporary_;
  base::RunConfig config_;
  std::shared_ptr<const core::ImageDataset> data_;
  int num_runs_ = 0;
};
STUDIO_TEST(TestStageProbes)
#include "tst_stage_probes.moc"
