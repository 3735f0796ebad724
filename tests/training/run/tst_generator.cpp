// SPDX-License-Identifier: Apache-2.0
//
// Images of what a run has trained: solvers, guidance, interpolation, and requests that cannot be met.
#include "training/sampling/generator.h"

#include <QTemporaryDir>
#include <cstring>

#include "core/base/config/config_io.h"
#include "core/device/device.h"
#include "tests/support/studio_test.h"
#include "tests/training/run/pipeline_run.h"
#include "tests/training/run/tiny_preset.h"
#include "training/sampling/class_mix.h"

using namespace meanflow;
using namespace meanflow::testing::pipeline;
namespace fs = std::filesystem;

class TestGenerator : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    core::initialiseTorch();
    QVERIFY(temporary_.isValid());
    const auto whole = work(requestFor(folder("whole"), testing::writeTinyPreset(root()),
                                       {"stages=[encoder, decoder, teacher, cmt, mean_flow]"}));
    QVERIFY2(whole.end.ok(), textOf(whole.end).c_str());
  }

  void aPictureDoesNotDependOnTheOthersOfItsBatch() {
    auto generator = training::Generator::open(folder("whole"), torch::kCPU);
    QVERIFY(generator.ok());
    struct Way {
      bool use_teacher;
      const char *mode, *method;
    };
    for (const Way& way : {Way{false, "ode", "euler"}, Way{true, "ode", "euler"}, Way{true, "ode", "heun2"},
                           Way{true, "ode", "dopri5"}, Way{true, "sde", "euler"}, Way{true, "sde", "heun"}}) {
      base::SampleRequest seven;
      seven.solver = base::SamplingConfig{};
      seven.solver->mode = way.mode;
      seven.solver->method = way.method;
      seven.labels = {0, 1, 2, 0, 1, 2, 0};
      seven.noise_indices = {0, 1, 2, 3, 4, 5, 6};
      seven.seed = 11;
      seven.nfe = 2;
      seven.use_teacher = way.use_teacher;
      seven.guidance_scale = 2;
      QVERIFY((*generator)->check(seven).ok());
      std::vector<base::Image8> together;
      (*generator)->make(seven, [&](int index, const base::Image8& image) {
        QCOMPARE(index, static_cast<int>(together.size()));
        together.push_back(image);
      });
      QCOMPARE(together.size(), std::size_t(7));
      QVERIFY(together[0] != together[3]);  // the same class, another noise
      for (int k = 0; k < 7; ++k) {
        auto one = seven;
        one.labels = {seven.labels[k]};
        one.noise_indices = {seven.noise_indices[k]};
        (*generator)->make(one, [&](int, const base::Image8& image) {
          QCOMPARE(image.pixels.size(), together[k].pixels.size());
          for (std::size_t i = 0; i < image.pixels.size(); ++i)
            QVERIFY(std::abs(int(image.pixels[i]) - int(together[k].pixels[i])) <= 1);
        });
      }
    }
  }

  void anInterpolationEndsAtBothEndsAndLeavesTheNetworkAsItWas() {
    auto generator = training::Generator::open(folder("whole"), torch::kCPU).value();
    for (const bool use_teacher : {false, true}) {
      const auto made = [&](std::vector<std::int64_t> labels, std::uint64_t seed, std::vector<base::SampleBlend> blends,
                            double noise_scale = 1) {
        base::SampleRequest request;
        request.labels = std::move(labels);
        request.noise_indices.assign(request.labels.size(), 1);
        request.seed = seed;
        request.blends = std::move(blends);
        request.noise_scale = noise_scale;
        request.nfe = 2;
        request.use_teacher = use_teacher;
        request.guidance_scale = 2;
        const auto checked = generator->check(request);
        if (!checked) throw std::runtime_error(checked.error().message);
        std::vector<base::Image8> images;
        generator->make(request, [&](int, const base::Image8& image) { images.push_back(image); });
        return images;
      };
      const auto nearly = [](const base::Image8& a, const base::Image8& b) {
        for (std::size_t i = 0; i < a.pixels.size(); ++i)
          if (std::abs(int(a.pixels[i]) - int(b.pixels[i])) > 1) return false;
        return true;
      };
      const auto from = made({0}, 11, {})[0], to = made({2}, 9, {})[0];
      const auto way = made({0, 0, 0}, 11, {{0, 9, 1, 2}, {0.5, 9, 1, 2}, {1, 9, 1, 2}});
      QVERIFY(nearly(way[0], from));
      QVERIFY(nearly(way[2], to));
      QVERIFY(!nearly(way[1], from) && !nearly(way[1], to));
      // Between classes alone, and between seeds alone, the middle is another one.
      const auto classes = made({0}, 11, {{0.5, 11, 1, 2}})[0], seeds = made({0}, 11, {{0.5, 9, 1, -1}})[0];
      QVERIFY(classes != seeds);
      QVERIFY(!nearly(classes, way[1]));
      QVERIFY(nearly(made({0}, 11, {})[0], from));
      QVERIFY(!nearly(made({0}, 11, {}, 0.4)[0], from));
      QVERIFY(nearly(made({0}, 11, {}, 0)[0], made({0}, 12, {}, 0)[0]));  // nothing of the noise is left
      QVERIFY_THROWS_EXCEPTION(std::runtime_error, made({0}, 11, {}, 1.5));
      QVERIFY_THROWS_EXCEPTION(std::runtime_error, made({0}, 11, {{2, 9, 1, 2}}));
      QVERIFY_THROWS_EXCEPTION(std::runtime_error, made({0}, 11, {{0.5, 9, 1, 99}}));
      QVERIFY_THROWS_EXCEPTION(std::runtime_error, made({0, 1}, 11, {{0.5, 9, 1, 2}}));
    }
  }

  void aClassHalfWayHasTheMeanOfBothEmbeddings() {
    auto network = training::makeTeacher(base::loadConfig(folder("whole") + "/config.yaml").value(), 3);
    const auto rows = training::numLabelRows(network);
    base::SampleRequest request;
    request.labels = {0, 1, 2, 0};
    request.blends = {{0.5, 0, 0, 2}, {0, 0, 0, 2}, {0.5, 0, 0, 2}, {1, 0, 0, 1}};
    const auto mixed = training::mixedLabels(request, rows);
    QCOMPARE(mixed.labels, (std::vector<std::int64_t>{rows, 1, 2, 1}));  // ends, and a class on its way to itself
    QCOMPARE(mixed.rows.size(), std::size_t(1));
    const auto& table = network->y_embedder->embedding_table->weight;
    const auto before = table.clone();
    {
      const training::ExtendedLabelTable extended(network, mixed.rows);
      QCOMPARE(table.size(0), rows + 1);
      QVERIFY(torch::allclose(table[rows], 0.5 * (before[0] + before[2])));
      QVERIFY(torch::equal(network->y_embedder(torch::tensor({1})), before.narrow(0, 1, 1)));
    }
    QVERIFY(torch::equal(table, before));
  }

  void theSolverOfTheRequestIsTheOneThatRuns() {
    auto generator = training::Generator::open(folder("whole"), torch::kCPU);
    const auto made = [&](std::optional<base::SamplingConfig> solver, std::uint64_t seed) {
      base::SampleRequest request;
      request.labels = {1};
      request.noise_indices = {5};
      request.seed = seed;
      request.nfe = 3;
      request.use_teacher = true;
      request.solver = std::move(solver);
      base::Image8 image;
      (*generator)->make(request, [&](int, const base::Image8& i) { image = i; });
      return image;
    };
    base::SamplingConfig heun, sde;
    heun.method = "heun2";
    sde.mode = "sde";
    const auto plain = made({}, 1);
    QVERIFY(plain == made(base::SamplingConfig{}, 1));  // the run's configuration has the defaults
    QVERIFY(plain != made(heun, 1));
    QVERIFY(plain != made(sde, 1));
    QVERIFY(made(sde, 1) == made(sde, 1));
  }

  void autoGuidanceStepsAwayFromAWeakerNetwork() {
    auto generator = training::Generator::open(folder("whole"), torch::kCPU);
    base::SampleRequest request;
    request.labels = {1};
    request.noise_indices = {5};
    request.nfe = 3;
    request.use_teacher = true;
    request.solver = base::SamplingConfig{};
    request.solver->guidance.method = "autoguidance";
    request.solver->guidance.model = (*generator)->config().teacher.model;
    const auto made = [&](double scale) {
      request.guidance_scale = scale;
      base::Image8 image;
      (*generator)->make(request, [&](int, const base::Image8& i) { image = i; });
      return image;
    };
    request.guidance_scale = 2;
    QVERIFY((*generator)->check(request).error().message.find("sampling.guidance.weights") != std::string::npos);
    // An earlier checkpoint of the same teacher is the weaker one; against itself, guidance changes nothing.
    const auto checkpoints = base::RunFolder::open(folder("whole"))->listCheckpoints("teacher");
    QVERIFY(checkpoints.size() > 1);
    request.solver->guidance.weights = checkpoints.front().path.string();
    QVERIFY((*generator)->check(request).ok());
    const auto plain = made(1), guided = made(3);
    QVERIFY(plain != guided);
    request.solver->guidance.weights = checkpoints.back().path.string();
    const auto against_itself = made(3);
    for (std::size_t i = 0; i < plain.pixels.size(); ++i)
      QVERIFY(std::abs(int(plain.pixels[i]) - int(against_itself.pixels[i])) <= 1);
    request.solver->guidance.weights = folder("whole") + "/decoder/latent_statistics.safetensors";
    try {
      made(3);
      QFAIL("latent statistics guided a teacher");
    } catch (const std::runtime_error& error) {
      QVERIFY2(std::strstr(error.what(), "sampling.guidance.weights"), error.what());
    }
  }

  void aCancelledRequestStopsBetweenBatches() {
    auto generator = training::Generator::open(folder("whole"), torch::kCPU);
    base::SampleRequest many;
    for (int k = 0; k < 60; ++k) many.labels.push_back(k % 3), many.noise_indices.push_back(k);
    int num_made = 0;
    (*generator)
        ->make(
            many, [&](int, const base::Image8&) { ++num_made; }, [&] { return num_made > 0; });
    QVERIFY(num_made > 0 && num_made < 60);
  }

  void aRequestThatCannotBeMetSaysWhatCan() {
    auto generator = training::Generator::open(folder("whole"), torch::kCPU);
    base::SampleRequest request;
    request.labels = {3};
    request.noise_indices = {0};
    QCOMPARE((*generator)->check(request).error().message,
             std::string("class 3 is out of range; this run knows 3 classes: 0 across, 1 disc, 2 down"));
    QCOMPARE((*generator)->check(request).error().kind, base::ErrorKind::kUsage);
    request.labels = {0};
    request.nfe = 0;
    QVERIFY((*generator)->check(request).error().message.find("nfe 0 is out of range") == 0);
    request.nfe = 1;
    request.use_teacher = true;
    request.solver = base::SamplingConfig{};
    request.solver->mode = "sde";
    request.solver->method = "rk4";
    QCOMPARE((*generator)->check(request).error().message,
             std::string("sampling.mode sde: unknown SDE method 'rk4'; use euler or heun"));
    request.use_teacher = false;
    request.checkpoint = "mean_flow/checkpoints/step_00000001";
    try {
      (*generator)->make(request, [](int, const base::Image8&) {});
      QFAIL("a checkpoint that does not exist was used");
    } catch (const std::runtime_error& error) {
      QVERIFY2(std::strstr(error.what(), "stage mean_flow has no checkpoint at step 1; there are 3, 6"), error.what());
    }
  }

  void aRunWithoutAStudentSaysSo() {
    fs::copy(folder("whole"), folder("no_student"), fs::copy_options::recursive);
    for (const char* stage : {"cmt", "mean_flow"}) fs::remove_all(fs::path(folder("no_student")) / stage);
    auto generator = training::Generator::open(folder("no_student"), torch::kCPU);
    QVERIFY(generator.ok());
    base::SampleRequest request;
    request.labels = {0};
    request.noise_indices = {0};
    try {
      (*generator)->make(request, [](int, const base::Image8&) {});
      QFAIL("images of a student that does not exist");
    } catch (const std::runtime_error& error) {
      QVERIFY2(std::strstr(error.what(), "has no trained student yet"), error.what());
    }
    request.use_teacher = true;
    int num_made = 0;
    (*generator)->make(request, [&](int, const base::Image8&) { ++num_made; });
    QCOMPARE(num_made, 1);
    fs::remove_all(fs::path(folder("no_student")) / "decoder");
    const auto no_decoder = training::Generator::open(folder("no_student"), torch::kCPU);
    QVERIFY(!no_decoder.ok() && no_decoder.error().message.find("no trained decoder yet") != std::string::npos);
  }

 private:
  fs::path root() const { return temporary_.path().toStdString(); }
  std::string folder(const std::string& name) const { return (root() / name).string(); }

  QTemporaryDir temporary_;
};
STUDIO_TEST(TestGenerator)
#include "tst_generator.moc"
