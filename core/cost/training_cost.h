// SPDX-License-Identifier: Apache-2.0
//
// What one sample of each objective costs, in network calls and multiply-accumulates. A backward pass costs two forward
// passes; attention products are counted.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/cost/network_cost.h"

namespace meanflow::core {

/// Networks of a training step and how they are called.
struct TrainingSetting {
  NetworkCost student;  ///< What is trained (the teacher itself in flow matching).
  NetworkCost teacher;
  double encoder_macs = 0;            ///< Of one image that is encoded in the step; 0 when latents are stored.
  double ratio_r_less_than_t = 0.25;  ///< Share of samples whose derivative counts.
  double teacher_calls = 1;           ///< 2 under classifier-free guidance.
  double euler_steps = 16;            ///< Teacher evaluations of a trajectory.
  double pairs_per_trajectory = 1;    ///< Pairs trained on for each trajectory made (a bank is used again and again).
};

/// One objective: multiply-accumulates of one sample (CMT: one pair).
struct ObjectiveCost {
  std::string name;     ///< "MFD, finite difference, only what is needed"
  std::string formula;  ///< In F (student forward), T (teacher forward), E (encoder), J (forward-mode derivative).
  std::string source;
  double student_forward = 0, student_backward = 0, teacher_forward = 0, encoder = 0;

  double macs() const { return student_forward + student_backward + teacher_forward + encoder; }
  double flops() const { return 2 * macs(); }
};

enum class Derivative { kFiniteDifference, kJvp };
/// kOfficial: every copy of every sample in the graph, as the released code. kNeeded: derivatives without a graph and
/// only where r < t, as this program does.
enum class Evaluation { kOfficial, kNeeded };
/// What the proxy velocity w is made of.
enum class Proxy { kTeacher, kData, kSelf, kMixTeacher, kMixSelf };

ObjectiveCost flowMatchingCost(const TrainingSetting& setting);
ObjectiveCost midTrainingCost(const TrainingSetting& setting, bool encodes_images);
ObjectiveCost meanFlowCost(const TrainingSetting& setting, Proxy proxy, Derivative derivative, Evaluation evaluation);

/// Every variant, in the order of the stages.
std::vector<ObjectiveCost> allObjectives(const TrainingSetting& setting);

/// FLOPs over sustained FLOP/s of one GPU, in days of one GPU.
double gpuDays(double flops, double flops_per_second);

}  // namespace meanflow::core
