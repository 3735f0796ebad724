// SPDX-License-Identifier: Apache-2.0
//
// Configurations that can be read but not trained are refused with their key, before anything is made.
#include "core/base/config/config_io.h"
#include "tests/support/studio_test.h"
#include "training/run/supported_settings.h"

using namespace meanflow;

class TestSupportedSettings : public QObject {
  Q_OBJECT
 private:
  static base::RunConfig configWith(const std::vector<std::string>& settings) {
    base::RunConfig config;
    config.stages = {"encoder", "decoder", "teacher"};
    config.encoder.kind = "trained";
    config.encoder.model = config.decoder.model = {.patch_size = 16, .hidden_size = 48, .depth = 1, .num_heads = 4};
    config.teacher.model.hidden_size = {48, 64}, config.teacher.model.num_heads = {4, 4};
    for (const auto& setting : settings)
      if (const auto set = base::applyOverride(config, setting); !set) qFatal("%s", set.error().message.c_str());
    return config;
  }

 private Q_SLOTS:
  void refusesWidthsThatNoNetworkCanHave_data() {
    QTest::addColumn<QStringList>("settings");
    QTest::addColumn<QString>("message");
    QTest::newRow("encoder, heads") << QStringList{"encoder.model.hidden_size=50"}
                                    << "encoder.model.hidden_size 50 is not a multiple of encoder.model.num_heads 4";
    QTest::newRow("encoder, positions") << QStringList{"encoder.model.hidden_size=3", "encoder.model.num_heads=1"}
                                        << "encoder.model.hidden_size 3 is not a multiple of 4";
    QTest::newRow("decoder, heads") << QStringList{"decoder.model.num_heads=5"}
                                    << "decoder.model.hidden_size 48 is not a multiple of decoder.model.num_heads 5";
    QTest::newRow("teacher, head of the DDT")
        << QStringList{"teacher.model.hidden_size=[48, 66]"}
        << "teacher.model.hidden_size 66 is not a multiple of teacher.model.num_heads 4";
    QTest::newRow("teacher, rotations") << QStringList{"teacher.model.hidden_size=[48, 72]"}
                                        << "teacher.model.hidden_size 72 over teacher.model.num_heads 4 is not a "
                                           "multiple of 4";
    QTest::newRow("another kind of training")
        << QStringList{"teacher.training.accumulation=2"} << "teacher.training.accumulation 2 is not supported";
  }
  void refusesWidthsThatNoNetworkCanHave() {
    QFETCH(QStringList, settings);
    QFETCH(QString, message);
    std::vector<std::string> all;
    for (const auto& setting : settings) all.push_back(setting.toStdString());
    const auto checked = training::checkSupported(configWith(all));
    QVERIFY(!checked.ok());
    QVERIFY2(checked.error().message.find(message.toStdString()) == 0, checked.error().message.c_str());
    QVERIFY(checked.error().kind == base::ErrorKind::kUsage);
  }

  void takesWhatItCanTrain() {
    const auto checked = training::checkSupported(configWith({}));
    QVERIFY2(checked.ok(), checked ? "" : checked.error().message.c_str());
  }

  void looksOnlyAtNetworksThatTheStagesBuild() {
    auto config = configWith({"encoder.model.hidden_size=3"});
    config.stages = {"decoder"};
    QVERIFY(training::checkSupported(config).ok());
  }
};

STUDIO_TEST(TestSupportedSettings)
#include "tst_supported_settings.moc"
