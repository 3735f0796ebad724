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

template <class T>
void read(const nlohmann::json& from, const char* key, std::optional<T>& value) {
  if (from.contains(key) && !from[key].is_null()) value = from[key].get<T>();
}

OfficialScheduleKeys scheduleKeys(const nlohmann::json& training) {
  OfficialScheduleKeys keys;
  read(training, "base_lr", keys.training_base_lr);
  read(training, "final_lr", keys.training_final_lr);
  read(training, "decay_start_epoch", keys.training_decay_start_epoch);
  read(training, "decay_end_epoch", keys.training_decay_end_epoch);
  if (training.contains("optimizer")) read(training["optimizer"], "lr", keys.optimizer_lr);
  if (!training.contains("scheduler")) return keys;
  const auto& scheduler = training["scheduler"];
  read(scheduler, "type", keys.type);
  read(scheduler, "base_lr", keys.base_lr);
  read(scheduler, "final_lr", keys.final_lr);
  read(scheduler, "warmup_steps", keys.warmup_steps);
  read(scheduler, "decay_end_steps", keys.decay_end_steps);
  read(scheduler, "warmup_epochs", keys.warmup_epochs);
  read(scheduler, "decay_end_epoch", keys.decay_end_epoch);
  keys.warmup_from_zero = scheduler.value("warmup_from_zero", false);
  return keys;
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
                   const std::function<MicroBatch(std::int64_t)>& evaluate, const std::function<void(std::int64_t)>& after_step) {
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

torch::Tensor asTensor(const std::vector<double>& values) { return torch::tensor(values, torch::kFloat64); }

/// Compares NAME of the file with the tensors of that name; of the label table only the rows that were recorded.
void checkWeights(const CaseFolder& folder, CaseChecker& checker, const std::string& stem, const NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors) {
    if (name == "y_embedder.embedding_table.weight" && folder.has(stem, "y_embedder.rows")) {
      const auto rows = folder.tensor("final", "label_rows").to(torch::kInt64);
      checker.check(stem, "y_embedder.rows", tensor.detach().index_select(0, rows));
    } else {
      checker.checkIfPresent(stem, name, tensor);
    }
  }
}

using Evaluate = std::function<MicroBatch(std::int64_t)>;

MicroBatch reported(const core::LossTerms& terms) { return {.loss = terms.loss, .reference_loss = terms.scalars.front().second}; }

Evaluate flowMatchingStep(const CaseFolder& folder, const core::DiTwDDTHead& network) {
  const auto& config = folder.config();
  const core::FlowMatching objective({.num_classes = network->options().num_classes,
                                      .label_dropout = config.at("model").at("class_dropout_prob").get<double>()},
                                     core::TimeSchedule::withShift(config.at("shift").get<double>()));
  return [&folder, objective, v = core::velocityField(network)](std::int64_t i) {
    core::Draws draws;
    draws.eps = folder.io("noise")[i];
    draws.time_uniforms = folder.io("u")[i];
    draws.label_uniforms = folder.io("drop_model")[i];
    return reported(objective.evaluate(v, folder.io("x")[i], folder.io("y")[i], draws));
  };
}

Evaluate cmtStep(const CaseFolder& folder, const core::DiTwDDTHead& student, const core::VelocityField& teacher) {
  const auto& config = folder.config();
  const core::ConsistencyMidTraining objective(
      {.num_classes = student->options().num_classes,
       .label_dropout = 0.1,
       .pair_times = core::PairTimes::kOfficial,
       .network_label_dropout = config.at("model").at("class_dropout_prob").get<double>()});
  const auto grid = core::TimeSchedule::withShift(config.at("shift").get<double>())
                        .grid(config.at("teacher_num_steps").get<std::int64_t>());
  return [&folder, objective, grid, teacher, u = core::flowMap(student)](std::int64_t i) {
    core::Draws draws;
    draws.label_uniforms = folder.io("drop_u")[i];
    draws.eps = folder.io("noise")[i];
    draws.pair_indices = folder.io("indices")[i];
    draws.network_label_uniforms = folder.io("drop_model")[i];
    const auto trajectories = objective.makeTrajectories(teacher, folder.io("y")[i], draws, grid);
    return reported(objective.evaluate(u, trajectories, draws));
  };
}

Evaluate meanFlowStep(const CaseFolder& folder, const core::DiTwDDTHead& student, const core::VelocitySource& velocity) {
  const auto& config = folder.config();
  core::MeanFlowOptions options;
  options.num_classes = student->options().num_classes;
  options.adaptive_squared = true;
  options.derivative.clamp_times = false;
  options.network_label_dropout = config.at("model").at("class_dropout_prob").get<double>();
  const core::MeanFlow objective(options, core::TimeSchedule::withShift(config.at("shift").get<double>()), velocity);
  return [&folder, objective, u = core::flowMap(student)](std::int64_t i) {
    core::Draws draws;
    draws.label_uniforms = folder.io("drop_u")[i];
    draws.eps = folder.io("noise")[i];
    draws.time_uniforms = folder.io("u2")[i];
    draws.mask_uniforms = folder.io("u_mask")[i];
    draws.network_label_uniforms = folder.io("drop_model")[i];
    return reported(objective.evaluate(u, folder.io("x")[i], folder.io("y")[i], draws));
  };
}

}  // namespace

void runLrSchedules(const CaseFolder& folder, CaseChecker& checker) {
  for (const auto& [name, training] : folder.config().items()) {
    const auto schedule = officialSchedule(scheduleKeys(training), training.at("steps_per_epoch").get<std::int64_t>());
    const auto steps = folder.io(name + ".steps");
    std::vector<double> rates;
    for (std::int64_t k = 0; k < steps.size(0); ++k) rates.push_back(schedule.at(steps[k].item<std::int64_t>()));
    checker.check(name + ".lr", asTensor(rates));
  }
}

void runOptimizer(const CaseFolder& folder, CaseChecker& checker) {
  const auto& config = folder.config();
  NamedTensors parameters;
  for (const char* name : {"0.weight", "0.bias", "2.weight", "2.bias", "frozen"})
    parameters.emplace_back(name, folder.tensor("params", std::string("init.") + name).clone().set_requires_grad(std::string_view(name) != "frozen"));
  const auto find = [&parameters](std::string_view name) {
    return std::find_if(parameters.begin(), parameters.end(), [name](const auto& item) { return item.first == name; })->second;
  };
  const auto betas = config.at("betas").get<std::vector<double>>();
  AdamW optimizer(parameters, {.beta1 = betas.at(0), .beta2 = betas.at(1), .eps = config.at("eps").get<double>(),
                               .weight_decay = config.at("weight_decay").get<double>()});
  Ema ema(parameters);
  const nlohmann::json training = {{"scheduler", config.at("schedule")}, {"base_lr", config.at("schedule").at("base_lr")}};
  const LoopSettings settings{.schedule = officialSchedule(scheduleKeys(training), config.at("steps_per_epoch").get<std::int64_t>()),
                              .clip_grad = config.at("clip_grad").get<double>(),
                              .ema_decay = config.at("ema_decay").get<double>(),
                              .grad_accum = config.at("grad_accum").get<std::int64_t>(),
                              .num_steps = folder.io("lr").size(0)};
  const auto evaluate = [&](std::int64_t i) {
    const auto hidden = torch::silu(torch::linear(folder.io("x")[i], find("0.weight"), find("0.bias")));
    const auto loss = (torch::linear(hidden, find("2.weight"), find("2.bias")) - folder.io("y")[i]).square().mean();
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
    checker.check("params", (kind == "step" ? "opt_step" : kind) + "." + name.substr(0, dot), tensor);
  }
}

void runTraining(const CaseFolder& folder, CaseChecker& checker) {
  const auto& config = folder.config();
  const bool is_flow_matching = folder.name.rfind("train_fm", 0) == 0;
  auto network = makeDdt(config.at("model"), folder.file("init"), /*is_student=*/!is_flow_matching);
  core::VelocityField teacher;
  if (folder.files.contains("teacher"))
    teacher = core::velocityField(makeDdt(config.at("model"), folder.file("teacher"), /*is_student=*/false));
  Evaluate evaluate;
  if (is_flow_matching) {
    evaluate = flowMatchingStep(folder, network);
  } else if (folder.has("io", "indices")) {
    evaluate = cmtStep(folder, network, teacher);
  } else {
    evaluate = meanFlowStep(folder, network, teacher ? core::VelocitySource::teacher(teacher) : core::VelocitySource::data());
  }
  const auto& training = config.at("training");
  const auto betas = training.at("beta").get<std::vector<double>>();
  AdamW optimizer(namedParameters(*network),
                  {.beta1 = betas.at(0), .beta2 = betas.at(1), .weight_decay = training.at("wd").get<double>()});
  Ema ema(namedParameters(*network));
  const LoopSettings settings{.schedule = officialSchedule(scheduleKeys(training), config.at("steps_per_epoch").get<std::int64_t>()),
                              .clip_grad = training.at("clip_grad").get<double>(),
                              .ema_decay = config.at("ema_decay").get<double>(),
                              .grad_accum = config.at("grad_accum").get<std::int64_t>(),
                              .num_steps = folder.io("lr").size(0)};
  const auto record = runLoop(settings, optimizer, ema, evaluate, [](std::int64_t) {});
  checker.check("loss", asTensor(record.loss));
  checker.check("loss_ref", asTensor(record.loss_ref));
  checker.check("grad_norm", asTensor(record.grad_norm));
  checker.check("lr", asTensor(record.lr));
  checkWeights(folder, checker, "final", optimizer.parameters());
  checkWeights(folder, checker, "ema", ema.averages());
}

}  // namespace meanflow::training
