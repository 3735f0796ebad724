// SPDX-License-Identifier: Apache-2.0
//
// The student stages on the 32x32 token grid of 512-pixel images, with that size's time shift: tiny widths, every step
// real.
#include <QTemporaryDir>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "core/base/config/config_io.h"
#include "core/device/device.h"
#include "core/flow/time_schedule.h"
#include "tests/support/kept_events.h"
#include "tests/support/studio_test.h"
#include "tests/training/run/tiny_preset.h"
#include "training/run/training_run.h"
#include "training/sampling/generator.h"
#include "training/stages/networks.h"

using namespace meanflow;
using training::RunEnd;
using training::TrainingRun;

namespace {

constexpr double kShift512 = 13.856406460551018;  // sqrt(768 * 32 * 32 / 4096)

std::vector<std::string> settings512() {
  std::vector<std::string> all = {"data.image_size=64",         "encoder.model.patch_size=2",
                                  "decoder.model.patch_size=2", "decoder.output_head=patch",
                                  "cmt.euler_steps=16",         "cmt.bank_size=2",
                                  "evaluation.grid_columns=1",  "watch.columns=1",
                                  "watch.max_rows=1",           "stages=[encoder, decoder, teacher, cmt, mean_flow]"};
  all.push_back("teacher.time.shift=" + std::to_string(kShift512));
  for (const char* stage : {"encoder", "decoder", "teacher", "cmt", "mean_flow"}) {
    const std::string training = std::string(stage) + ".training.";
    // 8 pairs a step of consistency mid-training, as published for 512 px.
    all.push_back(training + "batch_size=" + (std::string(stage) == "cmt" ? "8" : "4"));
    for (const char* setting : {"steps=2", "checkpoint_every=2", "sample_every=2"}) all.push_back(training + setting);
  }
  return all;
}

}  // namespace

class TestLatent32 : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    core::initialiseTorch();
    preset_ = testing::writeTinyPreset(folder_.path().toStdString());
  }

  void everyStageTrainsOnTheLargeGrid_data() {
    QTest::addColumn<QString>("name");
    QTest::addColumn<QStringList>("more");
    QTest::newRow("distillation, finite difference") << "mfd" << QStringList{};
    QTest::newRow("training on data, JVP")
        << "mft" << QStringList{"mean_flow.velocity=data", "mean_flow.derivative=jvp"};
  }
  void everyStageTrainsOnTheLargeGrid() {
    QFETCH(QString, name);
    QFETCH(QStringList, more);
    base::RunRequest request;
    request.run_folder = (folder_.path() + "/" + name).toStdString();
    request.config = preset_;
    request.overrides = settings512();
    for (const auto& setting : more) request.overrides.push_back(setting.toStdString());
    const auto listener = std::make_shared<testing::KeptEvents>();
    auto run = TrainingRun::prepare(request, {listener});
    QVERIFY2(run.ok(), run ? "" : run.error().message.c_str());
    const auto end = (*run)->run();
    QVERIFY2(end.ok(), end ? "" : end.error().message.c_str());
    QCOMPARE(*end, RunEnd::kFinished);

    std::map<std::string, int> steps;
    for (const auto& event : listener->events)
      if (const auto* step = std::get_if<base::StepCompleted>(&event)) {
        ++steps[step->stage];
        const auto loss = std::find_if(step->scalars.begin(), step->scalars.end(),
                                       [](const auto& scalar) { return scalar.name == "loss"; });
        QVERIFY2(loss != step->scalars.end() && std::isfinite(loss->value) && loss->value > 0, step->stage.c_str());
      }
    QCOMPARE(steps, (std::map<std::string, int>{
                        {"encoder", 2}, {"decoder", 2}, {"teacher", 2}, {"cmt", 2}, {"mean_flow", 2}}));

    // What was trained is what the configuration of that size says: 1024 tokens, the schedule that ends at 0.01368.
    const auto folder = base::RunFolder::open(request.run_folder);
    const auto config = base::loadConfig((folder->root() / "config.yaml").string()).value();
    QCOMPARE(training::latentShape(config).side, std::int64_t{32});
    const core::TimeSchedule schedule(config.teacher.time, training::latentShape(config).dim());
    QVERIFY(std::abs(schedule.shift() - kShift512) < 1e-5);
    QVERIFY(std::abs(schedule.grid(17).back() - 0.01368) < 1e-5);

    auto generator = training::Generator::open(request.run_folder, torch::kCPU);
    QVERIFY2(generator.ok(), generator ? "" : generator.error().message.c_str());
    base::SampleRequest sample;
    sample.run_folder = request.run_folder;
    sample.labels = {0, 1};
    sample.noise_indices = {0, 1};
    sample.nfe = 1;
    int num_images = 0;
    (*generator)->make(sample, [&](int, const base::Image8& image) {
      ++num_images;
      QCOMPARE(image.width, 64);
      QCOMPARE(image.height, 64);
    });
    QCOMPARE(num_images, 2);
  }

 private:
  QTemporaryDir folder_;
  std::string preset_;
};
STUDIO_TEST(TestLatent32)
#include "tst_latent_32.moc"
