// SPDX-License-Identifier: Apache-2.0
//
// Verdicts that are read while the next step is computed: a run ends with the same bits, alarms and diagnoses as one
// that waits for them, and its commands are obeyed once each.
#include <torch/torch.h>
#include <QTemporaryDir>

#include "core/checkpoint/tensor_file.h"
#include "core/device/device.h"
#include "tests/support/studio_test.h"
#include "tests/training/diagnostics/planned_stage.h"

using namespace meanflow;
using namespace meanflow::testing::planned;
namespace fs = std::filesystem;

namespace {

/// Reports, figures and checkpoints are due at other steps than the bad one.
Plan deferred(Plan plan) {
  plan.diagnostics.verdict = "deferred";
  plan.training.log_every = plan.diagnostics.figures_every = 20;
  return plan;
}
Plan immediate(Plan plan) {
  plan = deferred(std::move(plan));
  plan.diagnostics.verdict = "immediate";
  return plan;
}

bool areSame(const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
  return a.size() == b.size() && !a.empty() &&
         std::equal(a.begin(), a.end(), b.begin(),
                    [](const auto& x, const auto& y) { return torch::equal(x.nan_to_num(7), y.nan_to_num(7)); });
}

}  // namespace

class TestDeferredVerdict : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void init() {
    core::initialiseTorch();
    temporary_ = std::make_unique<QTemporaryDir>();
  }

  void aHealthyRunIsTheSameToTheBit_data() {
    QTest::addColumn<int>("num_workers");
    QTest::newRow("one worker") << 1;
    QTest::newRow("two workers") << 2;
  }
  void aHealthyRunIsTheSameToTheBit() {
    QFETCH(const int, num_workers);
    Plan plan;
    plan.num_workers = num_workers;
    plan.training.clip_grad = 0.1;
    const auto now = train(run("now"), immediate(plan)), later = train(run("later"), deferred(plan));
    QVERIFY2(now.failure.empty() && later.failure.empty(), (now.failure + later.failure).c_str());
    for (const std::int64_t step : {10, 20, 30, 40})
      for (const char* file : {"model.safetensors", "ema.safetensors", "optimizer.safetensors"}) {
        const auto load = [&](const char* name) {
          const auto checkpoint = base::RunFolder::open(run(name))->checkpoint("teacher", step);
          return core::loadTensors((checkpoint / file).string()).value();
        };
        const auto expected = load("now"), found = load("later");
        QCOMPARE(found.size(), expected.size());
        for (const auto& [name, tensor] : expected) QVERIFY2(torch::equal(found.at(name), tensor), name.c_str());
      }
    const auto steps = now.seen->all<base::StepCompleted>(), others = later.seen->all<base::StepCompleted>();
    QCOMPARE(others.size(), std::size_t(3));  // the first, 20 and 40
    for (std::size_t i = 0; i < steps.size(); ++i) {
      QCOMPARE(others[i].step, steps[i].step);
      for (std::size_t k = 0; k < steps[i].scalars.size(); ++k) {
        const auto& scalar = steps[i].scalars[k];
        if (scalar.name == "loss" || scalar.name == "grad_norm" || scalar.name == "clipped_share")
          QCOMPARE(others[i].scalars[k].value, scalar.value);
      }
    }
  }

  void theNextStepIsComputedMeanwhile() {
    std::int64_t last = 0, at_alarm = 0;
    Plan plan;
    plan.poisoned_position = 6;
    plan.last_forward = &last;
    plan.diagnostics.replay = false;  // it has forward passes of its own
    plan.answer = [&](const base::TrainingEvent& event, training::CommandQueue&) {
      if (std::holds_alternative<base::AlarmRaised>(event)) at_alarm = last;
    };
    QVERIFY(train(run("now"), immediate(plan)).is_diverged);
    QCOMPARE(at_alarm, kBadStep);
    QVERIFY(train(run("later"), deferred(plan)).is_diverged);
    QCOMPARE(at_alarm, kBadStep + 1);
  }

  void plantedFaultsAreNamedAsIfTheRunHadWaited_data() {
    QTest::addColumn<QByteArray>("fault");
    for (const auto& name : plantedFaultNames()) QTest::newRow(name.constData()) << name;
  }
  void plantedFaultsAreNamedAsIfTheRunHadWaited() {
    QFETCH(const QByteArray, fault);
    const auto planted = plantedFault(fault);
    const auto now = train(run("now"), immediate(planted.plan)), later = train(run("later"), deferred(planted.plan));
    QVERIFY2(later.is_diverged, later.failure.c_str());
    QCOMPARE(later.failure, now.failure);
    QVERIFY(areSame(later.weights, now.weights));
    const auto expected = now.seen->all<base::DiagnosisReady>(), found = later.seen->all<base::DiagnosisReady>();
    QCOMPARE(found.size(), std::size_t(1));
    QVERIFY2(found[0].origin == expected.at(0).origin && found[0].origin == planted.origin, found[0].text.c_str());
    const auto alarms = now.seen->all<base::AlarmRaised>(), others = later.seen->all<base::AlarmRaised>();
    QCOMPARE(others.size(), alarms.size());
    for (std::size_t i = 0; i < alarms.size(); ++i) {
      QCOMPARE(others[i].step, alarms[i].step);
      QCOMPARE(others[i].text, alarms[i].text);
      QVERIFY(others[i].origin == alarms[i].origin);
    }
  }

  void skippingAndRollingBackComeToTheSame_data() {
    QTest::addColumn<QString>("policy");
    QTest::addColumn<double>("poison");
    QTest::addColumn<int>("num_workers");
    for (const int num_workers : {1, 2})
      for (const char* policy : {"skip", "roll_back"})
        for (const double poison : {kNaN, 1e4})
          QTest::addRow("%s, %g, %d workers", policy, poison, num_workers)
              << QString::fromLatin1(policy) << poison << num_workers;
  }
  void skippingAndRollingBackComeToTheSame() {
    QFETCH(const QString, policy);
    QFETCH(const double, poison);
    QFETCH(const int, num_workers);
    Plan plan;
    plan.num_workers = num_workers;
    plan.poisoned_position = 6, plan.poison = poison;
    plan.diagnostics.on_divergence = policy.toStdString();
    const auto now = train(run("now"), immediate(plan)), later = train(run("later"), deferred(plan));
    QVERIFY2(later.failure.empty(), later.failure.c_str());
    QVERIFY(areSame(later.weights, now.weights));
    QCOMPARE(later.seen->all<base::AlarmRaised>().size(), now.seen->all<base::AlarmRaised>().size());
    QCOMPARE(later.seen->all<base::AlarmRaised>().at(0).action, policy.toStdString());
    QCOMPARE(base::RunFolder::open(run("later"))->readConfig()->teacher.training.skip_steps,
             base::RunFolder::open(run("now"))->readConfig()->teacher.training.skip_steps);
  }

  void everyOrderIsObeyedOnce() {
    Plan plan;
    plan.answer = [](const base::TrainingEvent& event, training::CommandQueue& commands) {
      const auto* done = std::get_if<base::StepCompleted>(&event);
      if (!done || done->step != 20) return;
      commands.push(base::ChangeSetting{"teacher.training.lr", "0.005"});
      commands.push(base::ChangeSetting{"teacher.training.clip_grad", "0.2"});
      commands.push(base::Pause{});
      commands.push(base::SaveNow{});
      commands.push(base::Resume{});
      commands.push(base::StopAndSave{});
    };
    const auto stopped = train(run("a"), deferred(plan));
    QVERIFY(stopped.is_stopped);
    const auto changes = stopped.seen->all<base::SettingChanged>();
    QCOMPARE(changes.size(), std::size_t(2));
    QCOMPARE(changes[0].key, std::string("teacher.training.lr"));
    QCOMPARE(changes[1].key, std::string("teacher.training.clip_grad"));
    int num_pauses = 0;
    for (const auto& change : stopped.seen->all<base::StateChanged>())
      num_pauses += change.state == base::RunState::kPaused ? 1 : 0;
    QCOMPARE(num_pauses, 1);
    const auto saved = stopped.seen->all<base::CheckpointSaved>();
    QVERIFY(saved.back().step > 20 && saved.back().step < 30);
    // The run goes on as one that was never stopped, and whose settings changed at the same steps.
    plan.answer = [&](const base::TrainingEvent& event, training::CommandQueue& commands) {
      const auto* done = std::get_if<base::StepCompleted>(&event);
      if (!done) return;
      for (const auto& change : changes)
        if (done->step + 1 == change.step) commands.push(base::ChangeSetting{change.key, change.new_value});
    };
    plan.training.log_every = 1;
    plan.diagnostics.verdict = "immediate";
    const auto whole = train(run("whole"), plan);
    Plan rest;
    rest.training.lr = 0.005, rest.training.clip_grad = 0.2;
    const auto resumed = train(run("a"), deferred(rest));
    QVERIFY2(resumed.failure.empty(), resumed.failure.c_str());
    QVERIFY(areSame(resumed.weights, whole.weights));
  }

 private:
  fs::path run(const std::string& name) const { return fs::path(temporary_->path().toStdString()) / name; }
  std::unique_ptr<QTemporaryDir> temporary_;
};

STUDIO_TEST(TestDeferredVerdict)
#include "tst_deferred_verdict.moc"
