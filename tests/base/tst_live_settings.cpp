// SPDX-License-Identifier: Apache-2.0
#include "core/base/config/config_io.h"
#include "core/base/config/live_settings.h"
#include "tests/support/studio_test.h"

using namespace meanflow;

class TestLiveSettings : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void learningRatesAndLengthsMayChangeModelsMayNot() {
    QVERIFY(base::isLiveSetting("mean_flow.training.lr"));
    QVERIFY(base::isLiveSetting("encoder.training.steps"));
    QVERIFY(!base::isLiveSetting("mean_flow.training.batch_size"));
    QVERIFY(!base::isLiveSetting("teacher.model.depth"));
    QVERIFY(!base::isLiveSetting("lr"));
    QVERIFY(base::isLiveSetting("mean_flow.delta_t"));
    QVERIFY(base::isLiveSetting("diagnostics.on_divergence"));
    QVERIFY(base::stageOfSetting("mean_flow.training.lr") == "mean_flow");
  }

  void everyLiveSettingIsInTheSchema() {
    int num_live = 0;
    for (const auto& field : base::schema())
      num_live += base::isLiveSetting(field.key) && field.key.find(".training.") != std::string::npos ? 1 : 0;
    QCOMPARE(num_live % 11, 0);  // eleven for each stage that trains
    QVERIFY(num_live >= 5 * 11);
  }
};

STUDIO_TEST(TestLiveSettings)
#include "tst_live_settings.moc"
