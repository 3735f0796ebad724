// SPDX-License-Identifier: Apache-2.0
#include <QImage>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QThread>
#include <atomic>
#include <latch>
#include <stdexcept>

#include "tests/support/studio_test.h"
#include "ui/panes/image_store.h"

using namespace meanflow;  // NOLINT: a test

class TestImageStore : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void readsOnAnotherThread() {
    std::atomic<bool> is_other_thread = false;
    const QThread* const here = QThread::currentThread();
    ui::ImageStore store([&](const std::string&) -> base::Result<base::Image8> {
      is_other_thread = QThread::currentThread() != here;
      return base::Image8(2, 2, 9);
    });
    QSignalSpy loaded(&store, &ui::ImageStore::loaded);
    QVERIFY(store.find("a").is_loading);
    QVERIFY(loaded.wait());
    QVERIFY(is_other_thread);
    QCOMPARE(*store.find("a").image, base::Image8(2, 2, 9));
  }

  void readsTheNewestRequestFirst() {
    std::latch start(1);
    std::vector<std::string> order;
    {
      ui::ImageStore store([&](const std::string& path) -> base::Result<base::Image8> {
        if (path == "first") start.wait();
        order.push_back(path);
        return base::Image8(1, 1);
      });
      QSignalSpy loaded(&store, &ui::ImageStore::loaded);
      (void)store.find("first");
      QTest::qWait(20);  // the worker has it and waits
      (void)store.find("older");
      (void)store.find("newer");
      start.count_down();
      QTRY_COMPARE(loaded.count(), 3);
    }
    QCOMPARE(order, (std::vector<std::string>{"first", "newer", "older"}));
  }

  void staysWithinItsBudget() {
    ui::ImageStore store({});
    store.setBudget(5 * 300);
    for (int i = 0; i < 1000; ++i) {
      store.insert(std::to_string(i), std::make_shared<const base::Image8>(10, 10));
      QVERIFY(store.bytes() <= 5 * 300);
    }
    QVERIFY(store.find("999").image);
    QVERIFY(!store.find("3").image);
  }

  void keepsWhatWasUsedLast() {
    ui::ImageStore store({});
    store.setBudget(5 * 300);
    for (const char* path : {"a", "b", "c", "d", "e"}) store.insert(path, std::make_shared<const base::Image8>(10, 10));
    QVERIFY(store.find("a").image);
    store.insert("f", std::make_shared<const base::Image8>(10, 10));
    QVERIFY(store.find("a").image);
    QVERIFY(!store.find("b").image);
  }

  void saysWhyAnImageCannotBeRead() {
    const QTemporaryDir folder;
    ui::ImageStore store(ui::imageLoaderFor(folder.path()));
    QSignalSpy loaded(&store, &ui::ImageStore::loaded);
    (void)store.find("missing.png");
    QVERIFY(loaded.wait());
    const auto found = store.find("missing.png");
    QVERIFY(!found.is_loading);
    QVERIFY2(found.problem.contains(QLatin1String("missing.png")), qPrintable(found.problem));
    QImage(3, 2, QImage::Format_RGB888).save(folder.filePath(QStringLiteral("missing.png")));
    store.retryFailed();
    (void)store.find("missing.png");
    QVERIFY(loaded.wait());
    QCOMPARE(store.find("missing.png").image->width, 3);
  }

  void survivesALoaderThatThrows() {
    ui::ImageStore store(
        [](const std::string&) -> base::Result<base::Image8> { throw std::runtime_error("disk gone"); });
    QSignalSpy loaded(&store, &ui::ImageStore::loaded);
    (void)store.find("x.png");
    QVERIFY(loaded.wait());
    QCOMPARE(store.find("x.png").problem, QStringLiteral("x.png: disk gone"));
  }

  void readsPixelsAsSaved() {
    const QTemporaryDir folder;
    QImage picture(5, 3, QImage::Format_RGB32);
    for (int y = 0; y < 3; ++y) {
      for (int x = 0; x < 5; ++x) picture.setPixelColor(x, y, QColor(x * 40, y * 60, 200));
    }
    QVERIFY(picture.save(folder.filePath(QStringLiteral("grid.png"))));
    const auto image = ui::imageLoaderFor(folder.path())("grid.png");
    QVERIFY(image.ok());
    QCOMPARE(image->width, 5);
    QCOMPARE(image->height, 3);
    const std::uint8_t* pixel = image->at(4, 2);
    QCOMPARE(QColor(pixel[0], pixel[1], pixel[2]), QColor(160, 120, 200));
  }

  void joinsItsWorkerWhileWorkIsWaiting() {
    ui::ImageStore store([](const std::string&) -> base::Result<base::Image8> { return base::Image8(1, 1); });
    for (int i = 0; i < 100; ++i) QVERIFY(store.find(std::to_string(i)).problem.isEmpty());
  }
};
STUDIO_TEST(TestImageStore)
#include "tst_image_store.moc"
