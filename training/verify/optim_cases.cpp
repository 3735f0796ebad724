// SPDX-License-Identifier: Apache-2.0
#include "training/verify/optim_cases.h"

#include <functional>

#include "core/objectives/consistency_mid_training.h"
#include "core/objectives/flow_matching.h"
#include "core/objectives/mean_flow.h"
#include "training/optim/adamw.h"
#include "training/optim/ema.h"
#include "training/optim/gradients.h"
#include "training/optim/lr_schedule.h"
#include "training/verify/model_cases.h"

namespace meanflow::training {
namespace {

constexpr std::int64_t kMaxSteps = std::int64_t{1} << 40;

void read(const CaseConfig& from, const char* key, std::optional<double>& value) {
  if (from.has(key)) value = from.number(key);
}
void read(const CaseConfig& from, const char* key, std::optional<std::int64_t>& value) {
  if (from.has(key)) value = from.integer(key, 0, kMaxSteps);
}

/// Keys of a `scheduler` section.
void readScheduler(const CaseConfig& scheduler, OfficialScheduleKeys& keys) {
  if (scheduler.has("type")) keys.type = scheduler.text("type");
  read(scheduler, "base_lr", keys.base_lr);
  read(scheduler, "final_lr", keys.final_lr);
  read(scheduler, "warmup_steps", keys.warmup_steps);
  read(scheduler, "decay_end_steps", keys.decay_end_steps);
  read(scheduler, "warmup_epochs", keys.warmup_epochs);
  read(scheduler, "decay_end_epoch", keys.decay_end_epoch);
  keys.warmup_from_zero = scheduler.flagOr("warmup_from_zero", false);
}

OfficialScheduleKeys scheduleKeys(const CaseConfig& training) {
  OfficialScheduleKeys keys;
  read(training, "base_lr", keys.training_base_lr);
  read(training, "final_lr", keys.training_final_lr);
  read(training, "decay_start_epoch", keys.training_decay_start_epoch);
  read(training, "decay_end_epoch", keys.training_decay_end_epoch);
  if (training.has("optimizer")) read(training.at("optimizer"), "lr", keys.optimizer_lr);
  if (training.has("scheduler")) readScheduler(training.at("scheduler"), keys);
  return keys;
}

std::int64_t stepsPerEpoch(const CaseConfig& config) {
  return config.integer("steps_per_epoch", 1, std::int64_t{1} << 32);
}

/// Settings of one optimiser step as the trainers do it.
struct LoopSettings {
  LrSchedule schedule;
  double clip_grad = 0;
  double ema_decay = 0;
  std::int64_t grad_accum = 1;
  std::int64_t num_steps = 0;
};

/// What one micro batch reports.
struct MicroBatch {
  torch::Tensor loss, reference_loss;
};

/// What the loop records per step, in float64.
struct StepRecord {
  std::vector<double> loss, loss_ref, grad_norm, lr;
};

/// The trainers' loop: accumulate, clip, step, average.
StepRecord runLoop(const LoopSettings& settings, AdamW& optimizer, Ema& ema,
                   const std::function<MicroBatch(std::int64_t)>& evaluate,
                   const std::function<void(std::int64_t)>& after_step) {
  StepRecord record;
  const auto accum = static_cast<double>(settings.grad_accum);
  for (std::int64_t step = 0; step < settings.num_steps; ++step) {
    double loss = 0, loss_ref = 0;
    for (std::int64_t k = 0; k < settings.grad_accum; ++k) {
      const auto micro = evaluate(step * settings.grad_accum + k);
      (micro.loss / accum).backward();
      loss += micro.loss.item<double>() / accum;
      loss_ref += micro.reference_loss.item<double>() / accum;
    }
    record.loss.push_back(loss);
    record.loss_ref.push_back(loss_ref);
    // The reference records 0 where it does not clip.
    const auto norm = clipGradNorm(optimizer.parameters(), settings.clip_grad);
    record.grad_norm.push_back(settings.clip_grad > 0 ? norm.item<double>() : 0);
    record.lr.push_back(settings.schedule.at(step));
    optimizer.step(record.lr.back());
    ema.update(settings.ema_decay);
    optimizer.zeroGrad();
    after_step(step + 1);
  }
  return record;
}

/// Steps of a case's loop: as many as rates were recorded; every micro batch needs a row of each recorded tensor.
std::int64_t numSteps(const CaseFolder& folder, std::int64_t grad_accum, std::initializer_list<const char*> inputs) {
  const auto num_steps = folder.expected("io", "lr").numel();
  for (const char* name : inputs) {
    if (!folder.has(name)) continue;
    if (folder.host(name).dim() < 1 || folder.host(name).size(0) != num_steps * grad_accum)
      throw std::runtime_error(folder.tensorFile("io") + ": tensor '" + name + "' needs " +
                               std::to_string(num_steps * grad_accum) + " rows, one for each micro batch");
  }
  return num_steps;
}

torch::Tensor asTensor(const std::vector<double>& values) { return torch::tensor(values, torch::kFloat64); }

/// Compares NAME of the file with the tensors of that name; of the label table only the rows that were recorded.
void checkWeights(const CaseFolder& folder, CaseChecker& checker, const std::string& stem,
                  const NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors) {
    if (name == "y_embedder.embedding_table.weight" && folder.has(stem, "y_embedder.rows")) {
      const auto rows = folder.tensor("final", "label_rows").to(torch::kInt64);
      checker.check(stem, "y_embedder.rows", tensor.detach().to(torch::kCPU).index_select(0, rows));
    } else {
      checker.checkIfPresent(stem, name, tensor);
    }
  }
}

using EvaluateMicroBatch = std::function<MicroBatch(std::int64_t)>;

MicroBatch reported(const core::LossTerms& terms) {
  return {.loss = terms.loss, .reference_loss = terms.scalars.front().second};
}

/// Labels of all micro batches [steps, B].
torch::Tensor labelRows(const CaseFolder& folder, const core::DiTwDDTHead& network) {
  return folder.labels("y", {-1, -1}, network->options().num_classes);
}

EvaluateMicroBatch flowMatchingStep(const CaseFolder& folder, const core::DiTwDDTHead& network) {
  const auto config = folder.config();
  const core::FlowMatching objective(
      {.num_classes = network->options().num_classes, .label_dropout = network->options().class_dropout_prob},
      core::TimeSchedule::withShift(config.number("shift", 1, 1e6)));
  return [&folder, objective, y = labelRows(folder, network), v = core::velocityField(network)](std::int64_t i) {
    core::Draws draws;
    draws.eps = folder.io("noise")[i];
    draws.time_uniforms = folder.host("u")[i];
    draws.label_uniforms = folder.host("drop_model")[i];
    return reported(objective.evaluate(v, folder.io("x")[i], y[i], draws));
  };
}

EvaluateMicroBatch cmtStep(const CaseFolder& folder, const core::DiTwDDTHead& student,
                           const core::VelocityField& teacher) {
  const auto config = folder.config();
  const core::ConsistencyMidTraining objective({.num_classes = student->options().num_classes,
                                                .label_dropout = config.numberOr("label_dropout_prob", 0.1, 0, 1),
                                                .pair_times = core::PairTimes::kOfficial,
                                                .network_label_dropout = student->options().class_dropout_prob});
  const auto grid =
      core::TimeSchedule::withShift(config.number("shift", 1, 1e6)).grid(config.integer("teacher_num_steps", 2, 10000));
  return
      [&folder, objective, grid, teacher, y = labelRows(folder, student), u = core::flowMap(student)](std::int64_t i) {
        core::Draws draws;
        draws.label_uniforms = folder.host("drop_u")[i];
        draws.eps = folder.io("noise")[i];
        draws.pair_indices = folder.host("indices")[i];
        draws.network_label_uniforms = folder.host("drop_model")[i];
        const auto trajectories = objective.makeTrajectories(teacher, y[i], draws, grid);
        return reported(objective.evaluate(u, trajectories, draws));
      };
}

EvaluateMicroBatch meanFlowStep(const CaseFolder& folder, const core::DiTwDDTHead& student,
                                const core::VelocitySource& velocity) {
  const auto config = folder.config();
  core::MeanFlowOptions options;
  options.num_classes = student->options().num_classes;
  options.label_dropout = config.numberOr("label_dropout_prob", 0.1, 0, 1);
  options.ratio_r_less_than_t = config.numberOr("ratio_r_not_equal_t", 0.25, 0, 1);
  options.adaptive_p = config.numberOr("adaptive_p", 1);
  options.adaptive_squared = true;
  options.derivative.delta_t = config.numberOr("delta_t", 0.005);
  options.derivative.clamp_times = false;
  options.network_label_dropout = student->options().class_dropout_prob;
  const core::MeanFlow objective(options, core::TimeSchedule::withShift(config.number("shift", 1, 1e6)), velocity);
  return [&folder, objective, y = labelRows(folder, student), u = core::flowMap(student)](std::int64_t i) {
    core::Draws draws;
    draws.label_uniforms = folder.host("drop_u")[i];
    draws.eps = folder.io("noise")[i];
    draws.time_uniforms = folder.host("u2")[i];
    draws.mask_uniforms = folder.host("u_mask")[i];
    draws.network_label_uniforms = folder.host("drop_model")[i];
    return reported(objective.evaluate(u, folder.io("x")[i], y[i], draws));
  };
}

}  // namespace

void runLrSchedules(const CaseFolder& folder, CaseChecker& checker) {
  const auto config = folder.config();
  for (const auto& name : config.keys()) {
    const auto training = config.at(name);
    const auto schedule = officialSchedule(scheduleKeys(training), stepsPerEpoch(training));
    const auto steps = folder.host(name + ".steps", {-1}).to(torch::kInt64);
    std::vector<double> rates;
    for (std::int64_t k = 0; k < steps.size(0); ++k) rates.push_back(schedule.at(steps[k].item<std::int64_t>()));
    checker.check(name + ".lr", asTensor(rates));
  }
}

void runOptimizer(const CaseFolder& folder, CaseChecker& checker) {
  const auto config = folder.config();
  NamedTensors parameters;
  const std::string start = "init.";
  for (const auto& name : folder.names("params")) {
    if (name.rfind(start, 0) != 0) continue;
    const auto key = name.substr(start.size());
    parameters.emplace_back(key,
                            folder.tensor("params", name).to(folder.device).clone().set_requires_grad(key != "frozen"));
  }
  const auto find = [&](const std::string& name) {
    for (const auto& [key, tensor] : parameters)
      if (key == name) return tensor;
    throw std::runtime_error(folder.tensorFile("params") + ": tensor 'init." + name + "' is missing");
  };
  const auto betas = config.numbers("betas", 2);
  AdamW optimizer(parameters, {.beta1 = betas[0],
                               .beta2 = betas[1],
                               .eps = config.number("eps"),
                               .weight_decay = config.number("weight_decay")});
  Ema ema(parameters);
  const auto scheduler = config.at("schedule");
  OfficialScheduleKeys keys;
  readScheduler(scheduler, keys);
  read(scheduler, "base_lr", keys.training_base_lr);
  const auto grad_accum = config.integer("grad_accum", 1, 1000);
  const LoopSettings settings{.schedule = officialSchedule(keys, stepsPerEpoch(config)),
                              .clip_grad = config.number("clip_grad", 0),
                              .ema_decay = config.number("ema_decay", 0, 1),
                              .grad_accum = grad_accum,
                              .num_steps = numSteps(folder, grad_accum, {"x", "y"})};
  const auto x = folder.io("x"), y = folder.io("y");
  const auto evaluate = [&](std::int64_t i) {
    const auto hidden = torch::silu(torch::linear(x[i], find("0.weight"), find("0.bias")));
    const auto loss = (torch::linear(hidden, find("2.weight"), find("2.bias")) - y[i]).square().mean();
    return MicroBatch{.loss = loss, .reference_loss = loss.detach()};
  };
  const auto record = runLoop(settings, optimizer, ema, evaluate, [&](std::int64_t steps_done) {
    for (const auto& [name, tensor] : parameters)
      checker.checkIfPresent("params", "step" + std::to_string(steps_done) + "." + name, tensor);
  });
  checker.check("loss", asTensor(record.loss));
  checker.check("grad_norm", asTensor(record.grad_norm));
  checker.check("lr", asTensor(record.lr));
  for (const auto& [name, tensor] : parameters) checker.check("params", "final." + name, tensor);
  for (const auto& [name, tensor] : ema.averages()) checker.check("params", "ema." + name, tensor);
  for (const auto& [name, tensor] : optimizer.state()) {
    const auto dot = name.rfind('.');
    const auto kind = name.substr(dot + 1);
    checker.checkIfPresent("params", (kind == "step" ? "opt_step" : kind) + "." + name.substr(0, dot), tensor);
  }
}

void runTraining(const CaseFolder& folder, CaseChecker& checker) {
  const auto config = folder.config();
  const bool is_flow_matching = folder.name().rfind("train_fm", 0) == 0;
  auto network = makeDdt(folder, config.at("model"), "init", /*is_student=*/!is_flow_matching);
  core::VelocityField teacher;
  if (folder.hasFile("teacher"))
    teacher = core::velocityField(makeDdt(folder, config.at("model"), "teacher", /*is_student=*/false));
  EvaluateMicroBatch evaluate;
  if (is_flow_matching) {
    evaluate = flowMatchingStep(folder, network);
  } else if (folder.has("indices")) {
    if (!teacher) throw std::runtime_error(folder.tensorFile("teacher") + " is missing");
    evaluate = cmtStep(folder, network, teacher);
  } else {
    evaluate =
        meanFlowStep(folder, network, teacher ? core::VelocitySource::teacher(teacher) : core::VelocitySource::data());
  }
  const auto training = config.at("training");
  const auto betas = training.numbers("beta", 2);
  AdamW optimizer(namedParameters(*network),
                  {.beta1 = betas[0], .beta2 = betas[1], .weight_decay = training.number("wd")});
  Ema ema(namedParameters(*network));
  const auto grad_accum = config.integer("grad_accum", 1, 1000);
  const LoopSettings settings{
      .schedule = officialSchedule(scheduleKeys(training), stepsPerEpoch(config)),
      .clip_grad = training.number("clip_grad", 0),
      .ema_decay = config.number("ema_decay", 0, 1),
      .grad_accum = grad_accum,
      .num_steps =
          numSteps(folder, grad_accum, {"x", "y", "noise", "u", "u2", "u_mask", "drop_u", "drop_model", "indices"})};
  const auto record = runLoop(settings, optimizer, ema, evaluate, [](std::int64_t) {});
  checker.check("loss", asTensor(record.loss));
  checker.check("loss_ref", asTensor(record.loss_ref));
  checker.check("grad_norm", asTensor(record.grad_norm));
  checker.check("lr", asTensor(record.lr));
  checkWeights(folder, checker, "final", optimizer.parameters());
  checkWeights(folder, checker, "ema", ema.averages());
}

}  // namespace meanflow::training
