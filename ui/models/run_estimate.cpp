// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/run_estimate.h"

#include "core/base/config/config_io.h"

namespace meanflow::ui {

void RunEstimate::setHost(base::TrainingHost* host) {
  host_ = host;
  ask();
}

void RunEstimate::setRun(const base::RunConfig& config, const std::string& device) {
  auto yaml = base::toYaml(config);
  if (yaml == config_ && device == device_) return;
  config_ = std::move(yaml);
  device_ = device;
  ask();
}

void RunEstimate::clear() {
  ++asked_;
  config_.clear();
}

void RunEstimate::ask() {
  const int number = ++asked_;
  if (config_.empty()) return;
  if (!host_) {
    base::CostEstimate estimate;
    estimate.missing = tr("the training library, which works it out, is not loaded").toStdString();
    Q_EMIT arrived(estimate);
    return;
  }
  host_->estimateCost(config_, device_,
                      answers_.to<base::CostEstimate>([this, number](const base::CostEstimate& estimate) {
                        if (number == asked_) Q_EMIT arrived(estimate);
                      }));
}

}  // namespace meanflow::ui
