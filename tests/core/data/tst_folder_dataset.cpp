// SPDX-License-Identifier: Apache-2.0
#include <QTemporaryDir>
#include <algorithm>
#include <fstream>
#include <set>

#include "core/base/config/resources.h"
#include "core/base/formats/png.h"
#include "core/data/dataset.h"
#include "core/data/image_io.h"
#include "core/data/imagenet_names.h"
#include "tests/support/studio_test.h"

using namespace meanflow;

class TestFolderDataset : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void init() {
    folder_ = std::make_unique<QTemporaryDir>();
    root_ = folder_->path().toStdString();
    config_.kind = "folder";
    config_.path = root_.string();
    config_.image_size = 16;
  }

  void classesAreSubFoldersSortedByName() {
    addImages("zebra", 6, 200);
    addImages("ant", 4, 40);
    const auto dataset = core::loadDataset(config_).value();
    QCOMPARE(dataset.class_names, (std::vector<std::string>{"ant", "zebra"}));
    QCOMPARE(dataset.train_images.sizes(), (torch::IntArrayRef{6, 3, 16, 16}));
    QCOMPARE(dataset.test_labels.size(0), std::int64_t{4});  // two of each class
    const auto values = dataset.train_images.flatten(1).to(torch::kFloat).mean(1);
    QVERIFY(values.masked_select(dataset.train_labels.eq(0)).eq(40).all().item<bool>());
    QVERIFY(values.masked_select(dataset.train_labels.eq(1)).eq(200).all().item<bool>());
  }

  void imageNetFoldersAreCalledByTheirWords() {
    addImages("n01443537", 4, 200);
    addImages("n01440764", 4, 40);
    QCOMPARE(core::loadDataset(config_).value().class_names, (std::vector<std::string>{"tench", "goldfish"}));
    addImages("n99999999", 4, 40);  // no class of ImageNet: all keep the names of their folders
    QCOMPARE(core::loadDataset(config_).value().class_names,
             (std::vector<std::string>{"n01440764", "n01443537", "n99999999"}));
    QCOMPARE(core::readableClassNames({"n01440764", "cat"}), (std::vector<std::string>{"n01440764", "cat"}));
  }

  void theThousandNamesAreDifferentOnesInTheOrderOfLabels() {
    std::ifstream file(base::resourcePath("imagenet_classes.tsv").value());
    std::vector<std::string> synsets;
    for (std::string line; std::getline(file, line);)
      if (line.front() == 'n') synsets.push_back(line.substr(0, 9));
    QCOMPARE(synsets.size(), std::size_t{1000});
    QVERIFY(std::is_sorted(synsets.begin(), synsets.end()));
    const auto names = core::readableClassNames(synsets);
    QCOMPARE(std::set<std::string>(names.begin(), names.end()).size(), std::size_t{1000});
    QCOMPARE(names[207], std::string("golden retriever"));
    QCOMPARE(names[134], std::string("crane (bird)"));
    QCOMPARE(names[999], std::string("toilet tissue"));
    QCOMPARE(core::imagenetClassNames(), names);
  }

  void errorsNameTheFolderOrImageAtFault() {
    const auto message = [this] { return core::loadDataset(config_).error().message; };
    QVERIFY(message().find("no sub-folders") != std::string::npos);
    addImages("ant", 2, 40);
    QVERIFY(message().find("ant: 2 PNG or JPEG images") != std::string::npos);
    addImages("ant", 4, 40);
    std::ofstream(root_ / "ant" / "broken.png") << "no image";
    QVERIFY(message().find("broken.png: neither PNG nor JPEG") != std::string::npos);
    config_.path = (root_ / "absent").string();
    QVERIFY(message().find("is not a folder") != std::string::npos);
    config_.kind = "other";
    QVERIFY(core::loadDataset(config_).error().kind == base::ErrorKind::kUsage);
  }

  void aStopEndsTheLoadingBeforeTheNextImage() {
    addImages("ant", 4, 40);
    const auto whole = core::loadDataset(config_).value();
    std::ofstream(root_ / "ant" / "0.png") << "no image";  // the first that is read
    std::stop_source stop;
    stop.request_stop();
    const auto stopped = core::loadDataset(config_, root_ / "cache", stop.get_token());
    QVERIFY(!stopped.ok());
    QCOMPARE(stopped.error().message, core::loadingStopped().message);
    QCOMPARE(core::datasetChecksum(whole, stop.get_token()), std::string());
    QCOMPARE(core::datasetChecksum(whole), whole.checksum);
  }

 private:
  void addImages(const std::string& name, int count, std::uint8_t value) {
    std::filesystem::create_directories(root_ / name);
    for (int i = 0; i < count; ++i) {
      base::writePng(root_ / name / (std::to_string(i) + ".png"), base::Image8(40, 24 + i, value)).value();
    }
  }

  std::unique_ptr<QTemporaryDir> folder_;
  std::filesystem::path root_;
  base::DataConfig config_;
};
STUDIO_TEST(TestFolderDataset)
#include "tst_folder_dataset.moc"
