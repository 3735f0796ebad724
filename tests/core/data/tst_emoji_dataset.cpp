// SPDX-License-Identifier: Apache-2.0
#include <QTemporaryDir>
#include <fstream>
#include <map>
#include <set>

#include "core/data/augment.h"
#include "core/data/dataset.h"
#include "core/data/dataset_cache.h"
#include "core/data/emoji_catalog.h"
#include "core/data/emoji_renderer.h"
#include "core/data/image_io.h"
#include "tests/support/studio_test.h"

using namespace meanflow;

namespace {

base::DataConfig smallConfig() {
  base::DataConfig config;
  config.train_per_class = 40;
  config.test_per_class = 10;
  return config;
}

std::string label(const std::string& id) { return id.substr(0, id.find('/')); }

}  // namespace

class TestEmojiDataset : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    if (!core::findEmojiFont() || !core::findEmojiList()) QSKIP("the emoji packages are not installed");
    full_ = core::buildEmojiDataset({}).value();
  }

  void everyClassHasItsPictures() {
    std::map<std::string, int> counts;
    for (const auto& id : full_.picture_ids) ++counts[label(id)];
    const std::map<std::string, int> expected = {{"face", 105}, {"person", 168}, {"heart", 15}, {"clock", 24},
                                                 {"flag", 261}, {"button", 90},  {"moon", 13},  {"ball", 12}};
    for (const auto& [name, count] : expected) {  // newer Unicode versions add a few
      QVERIFY2(counts[name] >= count && counts[name] <= count + count / 4 + 2,
               qPrintable(QString("%1: %2").arg(name.c_str()).arg(counts[name])));
    }
    QCOMPARE(counts.size(), expected.size());
  }

  void isTheReferenceDataWithTheReferencePackages() {
    if (full_.picture_ids.size() != 688) QSKIP("another version of the emoji packages");
    QCOMPARE(full_.checksum, std::string(core::kReferenceEmojiChecksum));
  }

  void messyMembersBelongToNoClass() {
    for (const auto& [subgroup, name] : {std::pair{"heart", "broken heart"},
                                         {"heart", "love letter"},
                                         {"time", "alarm clock"},
                                         {"time", "hourglass done"},
                                         {"face-negative", "skull"},
                                         {"face-costume", "robot"},
                                         {"av-symbol", "bright button"},
                                         {"sport", "tennis"},
                                         {"sky & weather", "sun with face"},
                                         {"flag", "chequered flag"}}) {
      QVERIFY2(!core::emojiClassOf(subgroup, name), name);
    }
    QCOMPARE(core::emojiClassOf("time", "ten-thirty").value(), 3);
    QCOMPARE(core::emojiClassOf("sky & weather", "full moon").value(), 6);
    QCOMPARE(core::emojiClassOf("game", "pool 8 ball").value(), 7);
  }

  void skinTonesOfAPersonShareAGroup() {
    std::map<std::string, int> group_sizes;
    const auto catalog = core::readEmojiCatalog(*core::findEmojiList()).value();
    for (const auto& picture : catalog) {
      if (picture.id.starts_with("person/")) ++group_sizes[picture.group];
    }
    QCOMPARE(group_sizes.size(), std::size_t{28});
    for (const auto& [group, count] : group_sizes) QVERIFY2(count == 6, group.c_str());
  }

  void noPictureIsBlankAndAllAreDrawnOnWhite() {
    const auto pixels = full_.train_images.to(torch::kFloat).flatten(1);
    QVERIFY(std::get<0>(pixels.std(1).min(0)).item<double>() > 10);
    const auto corners = full_.train_images.select(2, 0).select(2, 0);  // [N, 3]
    QVERIFY(corners.to(torch::kFloat).mean().item<double>() > 245);
  }

  void testPicturesAreNeverTrainedOn() {
    const auto bytes = [&](const torch::Tensor& pictures) {
      std::set<std::int64_t> ids;
      const auto* data = pictures.data_ptr<std::int64_t>();
      ids.insert(data, data + pictures.numel());
      return ids;
    };
    const auto train = bytes(full_.train_pictures), test = bytes(full_.test_pictures);
    for (const auto id : test) QVERIFY(!train.contains(id));
    QCOMPARE(train.size() + test.size(), full_.picture_ids.size());
    std::map<std::string, int> held_out;
    for (const auto id : test) ++held_out[label(full_.picture_ids[static_cast<std::size_t>(id)])];
    for (const auto& name : full_.class_names) QVERIFY2(held_out[name] >= 2, name.c_str());
  }

  void flagsOfTheSameDesignAreOnTheSameSide() {
    std::set<std::string> held_out;
    const auto* test = full_.test_pictures.data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < full_.test_pictures.numel(); ++i) {
      held_out.insert(full_.picture_ids[static_cast<std::size_t>(test[i])]);
    }
    const auto renderer = core::EmojiRenderer::open(*core::findEmojiFont());
    std::map<std::string, bool> side;
    int num_equal = 0;
    const auto catalog = core::readEmojiCatalog(*core::findEmojiList()).value();
    for (const auto& picture : catalog) {
      const bool is_held_out = held_out.contains(picture.id);
      const auto image = renderer->draw(picture.code_points).value();
      const auto [known, is_new] = side.emplace(std::string(image.pixels.begin(), image.pixels.end()), is_held_out);
      num_equal += !is_new;
      QVERIFY2(known->second == is_held_out, picture.id.c_str());
    }
    QVERIFY(num_equal > 0);  // Norway and Bouvet Island, for one
  }

  void labelsAndShapesFit() {
    QCOMPARE(full_.train_images.sizes(), (torch::IntArrayRef{8000, 3, 32, 32}));
    QCOMPARE(full_.test_images.sizes(), (torch::IntArrayRef{1600, 3, 32, 32}));
    QVERIFY(full_.train_labels.bincount().eq(1000).all().item<bool>());
    QVERIFY(full_.test_labels.bincount().eq(200).all().item<bool>());
    QCOMPARE(full_.may_flip, (std::vector<bool>{true, true, true, false, false, false, true, true}));
  }

  void anotherFolderGetsTheSameBytes() {
    QTemporaryDir first, second;
    const auto a = core::loadDataset(smallConfig(), first.path().toStdString()).value();
    const auto b = core::loadDataset(smallConfig(), second.path().toStdString()).value();
    QCOMPARE(a.checksum, b.checksum);
    const auto again = core::loadDataset(smallConfig(), first.path().toStdString()).value();  // from the file
    QVERIFY(torch::equal(again.train_images, b.train_images));
    QVERIFY(torch::equal(again.test_pictures, b.test_pictures));
    QCOMPARE(again.picture_ids, b.picture_ids);
  }

  void aDamagedCacheIsRebuilt() {
    QTemporaryDir folder;
    const auto cache = std::filesystem::path(folder.path().toStdString());
    const auto before = core::loadDataset(smallConfig(), cache).value();
    const auto file = cache / core::datasetCacheName(smallConfig());
    const auto size = std::filesystem::file_size(file);
    {
      std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
      stream.seekp(static_cast<std::streamoff>(size / 2));
      stream.put('\x5a').put('\x5b');
    }
    const auto damaged = core::readDatasetCache(file);
    QVERIFY(!damaged && damaged.error().message.find("checksum") != std::string::npos);
    QCOMPARE(core::loadDataset(smallConfig(), cache).value().checksum, before.checksum);
    QVERIFY(core::readDatasetCache(file).ok());
    std::filesystem::resize_file(file, size - 100);  // as after a full disk
    QVERIFY(core::readDatasetCache(file).error().message.find("size") != std::string::npos);
    QCOMPARE(core::loadDataset(smallConfig(), cache).value().checksum, before.checksum);
  }

  void settingsThatShapeTheDataNameTheFile() {
    auto turned = smallConfig();
    turned.rotation_degrees = 4;
    QVERIFY(core::datasetCacheName(turned) != core::datasetCacheName(smallConfig()));
  }

  void distortionWithoutAmountsIsTheMeanOfFourPixels() {
    base::Image8 image(4, 4);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(5 * i);
    const auto half = core::distortAndHalve(image, {});
    const int expected = (image.at(2, 0)[1] + image.at(3, 0)[1] + image.at(2, 1)[1] + image.at(3, 1)[1] + 2) / 4;
    QCOMPARE(int{half.at(1, 0)[1]}, expected);
    const auto mirrored = core::distortAndHalve(image, {.flip = true});
    QCOMPARE(int{mirrored.at(0, 0)[1]}, expected);
  }

  void shiftMovesByPixelsOfTheFinishedImage() {
    base::Image8 image(8, 8, 255);
    for (const int y : {2, 3}) {
      for (const int x : {2, 3}) std::fill_n(image.at(x, y), 3, std::uint8_t{0});
    }
    const auto moved = core::distortAndHalve(image, {.shift_x = 2, .shift_y = 1});
    QCOMPARE(int{moved.at(3, 2)[0]}, 0);
    QCOMPARE(int{moved.at(1, 1)[0]}, 255);
  }

  void aListOfAnotherKindIsRefused() {
    QTemporaryDir folder;
    const auto path = folder.filePath("emoji-test.txt").toStdString();
    std::ofstream(path) << "# nothing here\n";
    const auto catalog = core::readEmojiCatalog(path);
    QVERIFY(!catalog && catalog.error().message.find("unicode-data") != std::string::npos);
    QVERIFY(!core::EmojiRenderer::open(path).ok());
  }

 private:
  core::ImageDataset full_;
};
STUDIO_TEST(TestEmojiDataset)
#include "tst_emoji_dataset.moc"
