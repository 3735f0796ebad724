// SPDX-License-Identifier: Apache-2.0
//
// What the papers state about cost, as printed there. MF-RAE: arXiv:2511.13019; RAE: arXiv:2510.11690.
#pragma once

namespace meanflow::core::published {

// MF-RAE, one-step sampling on ImageNet 256, GFLOPs (multiply-accumulates of linear and convolution layers).
inline constexpr double kGeneratorGflops = 157;
inline constexpr double kRaeDecoderGflops = 106;
inline constexpr double kSitGflops = 114;
inline constexpr double kSdVaeDecoderGflops = 310;
inline constexpr double kSamplingSaving = 0.38;
inline constexpr double kTrainingSaving = 0.83;
// Parameters in millions.
inline constexpr double kTeacherParametersM = 839;
inline constexpr double kStudentParametersM = 841;
inline constexpr double kSitParametersM = 675;
inline constexpr double kMeanFlowSitParametersM = 676;
// All stages on ImageNet 256, days of one H100: "less than" for MF-RAE, "more than" for MeanFlow on SD-VAE latents.
inline constexpr double kMfRaeGpuDays = 100;
inline constexpr double kMeanFlowGpuDays = 600;

}  // namespace meanflow::core::published
