// SPDX-License-Identifier: Apache-2.0
#include "training/sampling/live_painter.h"

#include <filesystem>

#include "core/base/formats/png.h"
#include "core/data/image_io.h"
#include "core/device/device.h"
#include "core/flow/guidance.h"
#include "core/flow/mean_flow_sampler.h"
#include "core/flow/noise.h"
#include "core/flow/ode_solver.h"
#include "core/flow/time_schedule.h"
#include "training/stages/tasks.h"

namespace meanflow::training {
namespace {

constexpr std::int64_t kTeacherColumns = 4;  // a teacher sample costs as much as teacher_live_steps student samples
constexpr std::int64_t kTeacherLiveSteps = 12;
constexpr std::int64_t kMatrixTrajectories = 4;
constexpr std::int64_t kDiagnosticsEvery = 3;
constexpr std::int64_t kMatrixStride = 2;  // every second point of the path: 9 of 17

std::vector<float> toVector(const torch::Tensor& tensor) {
  const auto flat = tensor.to(torch::kCPU, torch::kFloat32).contiguous().flatten();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

/// Relative L2 distance per sample: |a - b| / |b|, [B].
torch::Tensor relativeError(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).flatten(1).norm(2, 1) / b.flatten(1).norm(2, 1).clamp_min(1e-12);
}

}  // namespace

LivePainter::LivePainter(base::RunConfig config, const base::RunFolder& folder,
                         std::shared_ptr<const core::ImageDataset> data, base::FanOutSink& events)
    : config_(std::move(config)), folder_(folder), data_(std::move(data)), events_(events) {}
LivePainter::~LivePainter() = default;

void LivePainter::paint(const std::string& stage, std::int64_t step, bool is_last, const NamedTensors& averages) {
  const torch::InferenceMode guard;
  if (stage == "encoder") return paintEncoder(step, averages);
  if (stage == "decoder") return paintDecoder(step, averages);
  if (stage == "teacher") return paintTeacher(step, is_last, averages);
  if (stage == "cmt" || stage == "mean_flow" || stage == "control") return paintStudent(stage, step, is_last, averages);
}

std::int64_t LivePainter::numRows() const { return std::min(config_.watch.max_rows, data_->numClasses()); }

torch::Tensor LivePainter::labels(std::int64_t columns) const {
  return torch::arange(numRows(), torch::kInt64).repeat_interleave(columns);
}

torch::Tensor LivePainter::noise(std::int64_t columns) const {
  std::vector<std::uint64_t> indices;
  for (std::int64_t row = 0; row < numRows(); ++row)
    for (std::int64_t column = 0; column < columns; ++column) indices.push_back(gridNoiseIndex(row, column));
  return core::noise(static_cast<std::uint64_t>(config_.seed), core::Stream::kSampleNoise, indices,
                     latentShape(config_).sizes());
}

torch::Tensor LivePainter::testImages(std::int64_t columns) const {
  std::vector<std::int64_t> indices;
  for (std::int64_t row = 0; row < numRows(); ++row) {
    const auto of_class = (data_->test_labels == row).nonzero().flatten();
    for (std::int64_t column = 0; column < columns; ++column)
      indices.push_back(of_class[column * of_class.size(0) / columns].item<std::int64_t>());
  }
  return core::toUnitRange(data_->test_images.index_select(0, torch::tensor(indices)));
}

void LivePainter::publishGrid(const std::string& stage, std::int64_t step, const std::string& what, int nfe,
                              const torch::Tensor& images, std::int64_t columns, double cpu_before) {
  const auto grid = std::make_shared<base::Image8>(core::makeGrid(images, columns));
  const auto file = folder_.samples(stage) / (what + "_" + base::stepName(step) + ".png");
  std::error_code ignored;
  std::filesystem::create_directories(file.parent_path(), ignored);
  if (const auto written =
          base::writePng(file, *grid, {{"stage", stage}, {"step", std::to_string(step)}, {"nfe", std::to_string(nfe)}});
      !written)
    throw std::runtime_error(written.error().message);
  base::SamplesReady event;
  event.stage = stage;
  event.step = step;
  event.path = folder_.relative(file);
  event.what = what;
  event.nfe = nfe;
  event.rows = static_cast<int>(images.size(0) / columns);
  event.columns = static_cast<int>(columns);
  event.row_labels.assign(data_->class_names.begin(), data_->class_names.begin() + event.rows);
  event.cost_ms = 1e3 * (core::threadCpuSeconds() - cpu_before);
  event.grid = grid;
  events_.post(std::move(event));
}

core::RaeCodec& LivePainter::codec() {
  if (!codec_) codec_ = loadCodec(config_, folder_, torch::kCPU, CodecUse::kDecode);
  return *codec_;
}

core::DiTwDDTHead& LivePainter::teacher() {
  if (!teacher_) teacher_ = loadTeacher(config_, folder_, data_->numClasses(), torch::kCPU);
  return teacher_;
}

core::DiTwDDTHead& LivePainter::student() {
  if (!student_) {
    student_ = makeStudent(config_, data_->numClasses());
    freeze(*student_);
  }
  return student_;
}

core::VelocityField LivePainter::guidedTeacher(const base::GuidanceConfig& guidance) {
  return core::classifierFreeGuidance(core::velocityField(teacher()), guidance, data_->numClasses());
}

void LivePainter::paintEncoder(std::int64_t step, const NamedTensors& averages) {
  const double cpu_before = core::threadCpuSeconds();
  if (!encoder_) encoder_ = makeEncoder(config_);
  copyAverages(*encoder_, averages);
  const auto images = testImages(config_.watch.columns);
  const auto side = latentShape(config_).side;
  std::vector<std::uint64_t> indices(images.size(0));
  for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = i;
  const auto uniforms =
      core::uniforms(static_cast<std::uint64_t>(config_.seed), core::Stream::kFirstFree, indices, {side * side});
  // Half the largest share masked: what a typical training step sees.
  const auto painted =
      encoder_->forward(normaliseImages(images), core::choosePatches(uniforms, config_.encoder.mask_ratio_max / 2));
  publishGrid("encoder", step, "reconstruction", 1, painted.add(1).div(2), config_.watch.columns, cpu_before);
}

void LivePainter::paintDecoder(std::int64_t step, const NamedTensors& averages) {
  const double cpu_before = core::threadCpuSeconds();
  if (!raw_codec_) {
    raw_codec_ = std::make_unique<core::RaeCodec>(makeRawCodec(config_, folder_, makeDecoder(config_), torch::kCPU));
    freeze(*raw_codec_->decoder);
  }
  copyAverages(*raw_codec_->decoder, averages);
  const auto images = testImages(config_.watch.columns);
  publishGrid("decoder", step, "reconstruction", 1, raw_codec_->decodeFeatures(raw_codec_->features(images)),
              config_.watch.columns, cpu_before);
}

void LivePainter::paintTeacher(std::int64_t step, bool is_last, const NamedTensors& averages) {
  const double cpu_before = core::threadCpuSeconds();
  if (!teacher_) {
    teacher_ = makeTeacher(config_, data_->numClasses());
    freeze(*teacher_);
  }
  copyAverages(*teacher_, averages);
  const auto columns = std::min(kTeacherColumns, config_.watch.columns);
  const auto grid = core::TimeSchedule(config_.teacher.time, latentShape(config_).dim()).grid(kTeacherLiveSteps + 1);
  // Guided as the student's teacher will be, so that the picture shows what is distilled.
  const auto solution = core::solveOde(guidedTeacher(config_.cmt.guidance), noise(columns), labels(columns), grid,
                                       {.keep_states = false});
  publishGrid("teacher", step, "teacher", static_cast<int>(solution.nfe), codec().decode(solution.final()), columns,
              cpu_before);
  if (is_last) paintTrajectory("teacher", step, 0);
}

void LivePainter::paintStudent(const std::string& stage, std::int64_t step, bool is_last,
                               const NamedTensors& averages) {
  double cpu_before = core::threadCpuSeconds();
  copyAverages(*student(), averages);
  const auto columns = config_.watch.columns;
  const auto z = noise(columns), y = labels(columns);
  const auto u = core::flowMap(student());
  publishGrid(stage, step, "one_step", 1, codec().decode(core::sampleMeanFlow(u, z, y, 1)), columns, cpu_before);
  if (is_last) {
    cpu_before = core::threadCpuSeconds();
    publishGrid(stage, step, "two_step", 2, codec().decode(core::sampleMeanFlow(u, z, y, 2)), columns, cpu_before);
  }
  // The diagnostic pictures cost several grids: now and then is enough while it runs.
  const auto picture = num_student_pictures_++;
  if (is_last || picture % kDiagnosticsEvery == 1)
    paintTrajectory(stage, step, (picture / kDiagnosticsEvery) % data_->numClasses());
  if (is_last || picture % kDiagnosticsEvery == 2) paintCmtMatrix(stage, step);
}

void LivePainter::paintTrajectory(const std::string& stage, std::int64_t step, std::int64_t label) {
  const auto schedule = core::TimeSchedule(config_.teacher.time, latentShape(config_).dim());
  const auto grid = schedule.grid(config_.cmt.euler_steps + 1, config_.cmt.grid_end);
  const auto y = torch::full({1}, label, torch::kInt64);
  const std::vector<std::uint64_t> index = {gridNoiseIndex(label, 0)};
  const auto z = core::noise(static_cast<std::uint64_t>(config_.seed), core::Stream::kSampleNoise, index,
                             latentShape(config_).sizes());
  const auto solution = core::solveOde(guidedTeacher(config_.cmt.guidance), z, y, grid);
  const auto path = torch::cat(solution.states);  // [N, C, H, W]
  const auto n = path.size(0);

  base::TrajectoryReady event;
  event.stage = stage;
  event.step = step;
  event.label = static_cast<int>(label);
  event.label_name = data_->class_names[label];
  event.times.assign(grid.begin(), grid.end());
  // The path's own principal components: the plane in which most of its motion lies.
  const auto flat = path.flatten(1);
  const auto mean = flat.mean(0, true);
  const auto basis = std::get<2>(torch::linalg_svd(flat - mean, /*full_matrices=*/false)).narrow(0, 0, 2);  // [2, D]
  const auto project = [&](const torch::Tensor& states) { return (states.flatten(1) - mean).matmul(basis.t()); };
  const auto knots = project(path);
  event.pca_x = toVector(knots.select(1, 0));
  event.pca_y = toVector(knots.select(1, 1));
  const auto t = torch::tensor(event.times);
  const auto velocity = (path.narrow(0, 1, n - 1) - path.narrow(0, 0, n - 1)) /
                        (t.narrow(0, 1, n - 1) - t.narrow(0, 0, n - 1)).view({-1, 1, 1, 1});
  event.speed = toVector(velocity.flatten(1).square().mean(1).sqrt());
  if (stage != "teacher") {
    const auto end = path.narrow(0, n - 1, 1).expand_as(path);
    const auto r = torch::full({n}, event.times.back());
    const auto landed =
        path - core::likeImage(t - r) * core::flowMap(student())(path, r, t, y.expand({n}).contiguous());
    event.jump_error = toVector(relativeError(landed, end));
    const auto where = project(landed);
    event.jump_x = toVector(where.select(1, 0));
    event.jump_y = toVector(where.select(1, 1));
  }
  const auto frames = std::make_shared<base::Image8>(core::makeGrid(codec().decode(path), n));
  event.frames = frames;
  const auto file = folder_.trajectories(stage) / (base::stepName(step) + "_class_" + std::to_string(label) + ".png");
  std::error_code ignored;
  std::filesystem::create_directories(file.parent_path(), ignored);
  if (const auto written = base::writePng(file, *frames); !written) throw std::runtime_error(written.error().message);
  event.path = folder_.relative(file);
  events_.post(std::move(event));
}

void LivePainter::paintCmtMatrix(const std::string& stage, std::int64_t step) {
  if (!cmt_matrix_) {
    const auto schedule = core::TimeSchedule(config_.teacher.time, latentShape(config_).dim());
    const auto grid = schedule.grid(config_.cmt.euler_steps + 1, config_.cmt.grid_end);
    std::vector<std::uint64_t> indices;
    std::vector<std::int64_t> classes;
    for (std::int64_t k = 0; k < kMatrixTrajectories; ++k) {
      classes.push_back(k % data_->numClasses());
      indices.push_back(gridNoiseIndex(classes.back(), k));
    }
    const auto z = core::noise(static_cast<std::uint64_t>(config_.seed), core::Stream::kSampleNoise, indices,
                               latentShape(config_).sizes());
    cmt_matrix_ =
        std::make_unique<core::JumpMap>(guidedTeacher(config_.cmt.guidance), z, torch::tensor(classes), grid,
                                        core::everyNth(static_cast<std::int64_t>(grid.size()), kMatrixStride), "path");
  }
  auto event = cmt_matrix_->measure(core::flowMap(student()));
  event.stage = stage;
  event.step = step;
  events_.post(std::move(event));
}

}  // namespace meanflow::training
