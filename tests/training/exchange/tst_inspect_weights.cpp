// SPDX-License-Identifier: Apache-2.0
//
// Whether a checkpoint may stand in for a stage of a configuration, without a run folder.
#include <QTemporaryDir>

#include "core/base/config/config_io.h"
#include "core/checkpoint/tensor_export.h"
#include "core/device/device.h"
#include "tests/training/exchange/exchange_files.h"
#include "training/exchange/inspect_weights.h"

using namespace meanflow;
using namespace meanflow::testing;
using training::inspectWeights;

namespace {

#define VERIFY_SAYS(text, part) QVERIFY2((text).find(part) != std::string::npos, (text).c_str())

std::string changeOf(const base::CheckpointFinding& finding, const std::string& key) {
  for (const auto& change : finding.changes)
    if (change.key == key) return change.b;
  return "unchanged";
}

}  // namespace

class TestInspectWeights : public QObject {
  Q_OBJECT
 private:
  QTemporaryDir folder_;
  std::string path(const std::string& name) const {
    return folder_.filePath(QString::fromStdString(name)).toStdString();
  }

 private Q_SLOTS:
  void initTestCase() { core::initialiseTorch(); }

  void aTeacherIsDescribedWithTheSettingsItNeeds() {
    const auto file = golden("ddt_dh/weights.safetensors");
    const auto finding = inspectWeights(base::RunConfig{}, "teacher", file);
    QVERIFY2(finding.refusal.empty(), finding.refusal.c_str());
    QCOMPARE(finding.key, std::string("teacher.weights"));
    QCOMPARE(finding.num_tensors, static_cast<std::int64_t>(goldenTensors("ddt_dh/weights.safetensors").size()));
    QCOMPARE(finding.num_computed, std::int64_t{0});
    VERIFY_SAYS(finding.description, "DiT-DH");
    VERIFY_SAYS(finding.weights, "the file itself");
    QVERIFY(finding.num_classes > 0);
    QVERIFY(changeOf(finding, "teacher.model.hidden_size") != "unchanged");
    QCOMPARE(changeOf(finding, "teacher.weights"), std::string("unchanged"));  // the key is not one of the changes
    // With these settings the same file fits as it is.
    base::RunConfig config;
    for (const auto& change : finding.changes) base::setValue(config, change.key, change.b).value();
    const auto again = inspectWeights(config, "teacher", file);
    QVERIFY2(again.refusal.empty(), again.refusal.c_str());
    QVERIFY(again.changes.empty());
    // A run that is continued says the same through its YAML.
    const auto asked = inspectWeights(base::CheckpointQuestion{"teacher", file, base::toYaml(config)});
    QCOMPARE(asked.num_tensors, finding.num_tensors);
  }

  void tablesThatTheFileLeavesOutAreCounted() {
    auto tensors = goldenTensors("ddt_dh/weights.safetensors");
    const auto all = static_cast<std::int64_t>(tensors.size());
    const auto num_left_out = std::erase_if(
        tensors, [](const auto& entry) { return entry.first.find("rope.freqs_sin") != std::string::npos; });
    QVERIFY(num_left_out > 0);
    core::savePt(path("no_table.pt"), tensors).value();
    const auto finding = inspectWeights(base::RunConfig{}, "teacher", path("no_table.pt"));
    QVERIFY2(finding.refusal.empty(), finding.refusal.c_str());
    QCOMPARE(finding.num_tensors, all);
    QCOMPARE(finding.num_computed, static_cast<std::int64_t>(num_left_out));
  }

  void whatDoesNotMapIsRefusedInTheImportsWords() {
    auto tensors = goldenTensors("ddt_dh/weights.safetensors");
    std::string left_out;
    for (const auto& [name, tensor] : tensors)
      if (name.find("mlp") != std::string::npos) left_out = name;
    tensors.erase(left_out);
    core::savePt(path("incomplete.pt"), tensors).value();
    const auto incomplete = inspectWeights(base::RunConfig{}, "teacher", path("incomplete.pt"));
    VERIFY_SAYS(incomplete.refusal, "is not complete");
    VERIFY_SAYS(incomplete.refusal, left_out);
    QVERIFY2(incomplete.refusal.find("--") == std::string::npos, incomplete.refusal.c_str());  // a command's options
    // A teacher is no student: it lacks the second time embedder.
    const auto student = inspectWeights(base::RunConfig{}, "cmt", golden("ddt_dh/weights.safetensors"));
    VERIFY_SAYS(student.refusal, "as cmt it is not complete");
    VERIFY_SAYS(student.refusal, "r_embedder");
    const auto kind = inspectWeights(base::RunConfig{}, "decoder", golden("ddt_dh/weights.safetensors"));
    VERIFY_SAYS(kind.refusal, "which is no decoder");
    const auto none = inspectWeights(base::RunConfig{}, "teacher", "/no/teacher.pt");
    VERIFY_SAYS(none.refusal, "does not exist");
    QVERIFY(none.changes.empty() && none.num_tensors == 0);
    const auto other = inspectWeights(base::RunConfig{}, "teacher", golden("lightningdit_p1/weights.safetensors"));
    VERIFY_SAYS(other.refusal, "cannot train with");
    const auto text = inspectWeights(base::CheckpointQuestion{"teacher", "/no/teacher.pt", "sed: 1\n"});
    VERIFY_SAYS(text.refusal, "sed");
  }

  void whatContradictsAnotherNamedCheckpointIsRefused() {
    const auto file = golden("ddt_dh/weights.safetensors");
    base::RunConfig config;
    const auto teacher = inspectWeights(config, "teacher", file);
    for (const auto& change : teacher.changes) base::setValue(config, change.key, change.b).value();
    config.teacher.weights = file;
    const auto other = inspectWeights(config, "mean_flow", golden("mf_student/weights.safetensors"));
    if (other.refusal.empty()) {  // the same sizes: nothing to contradict
      for (const auto& change : other.changes) QVERIFY2(!change.key.starts_with("teacher.model"), change.key.c_str());
    } else {
      VERIFY_SAYS(other.refusal, "the settings take over");
    }
    // Statistics of other latents than the teacher's.
    core::savePt(path("stat.pt"), {{"mean", torch::zeros({5, 3, 3})}, {"var", torch::ones({5, 3, 3})}}).value();
    const auto statistics = inspectWeights(config, "statistics", path("stat.pt"));
    VERIFY_SAYS(statistics.refusal, "its latents are 5x3x3");
    VERIFY_SAYS(statistics.refusal, "let teacher be trained");
    QCOMPARE(statistics.key, std::string("decoder.statistics"));
    core::savePt(path("bad.pt"), {{"mean", torch::zeros({5, 3, 3})}, {"var", -torch::ones({5, 3, 3})}}).value();
    VERIFY_SAYS(inspectWeights(base::RunConfig{}, "statistics", path("bad.pt")).refusal, "negative variance");
  }
};
STUDIO_TEST(TestInspectWeights)
#include "tst_inspect_weights.moc"
