// SPDX-License-Identifier: Apache-2.0
//
// `meanflow verify` as a person or a script uses it.
#include <QFile>
#include <QProcess>
#include <QTemporaryDir>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/studio_test.h"

using namespace meanflow;
namespace fs = std::filesystem;

namespace {

struct Answer {
  int code = -1;
  QString out, err;
};

Answer call(const QStringList& arguments) {
  QProcess process;
  process.start(MEANFLOW_PROGRAM, arguments);
  Answer answer;
  if (!process.waitForFinished(120'000)) {
    process.kill();
    process.waitForFinished();
    return answer;
  }
  answer.code = process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -2;
  answer.out = QString::fromUtf8(process.readAllStandardOutput());
  answer.err = QString::fromUtf8(process.readAllStandardError());
  return answer;
}

}  // namespace

class TestVerifyCli : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    fs::create_directories(root() / "good");
    for (const char* name : {"lr_schedules", "lightningdit_p1"})
      fs::copy(testing::testsFolder() + "/golden/" + name, root() / "good" / name, fs::copy_options::recursive);
    fs::copy(root() / "good", root() / "mixed", fs::copy_options::recursive);
    fs::create_directories(root() / "mixed" / "new");
    std::ofstream(root() / "mixed" / "new" / "case.json") << R"({"case": "from_the_future"})";
    fs::copy(root() / "good", root() / "bad", fs::copy_options::recursive);
    fs::remove(root() / "bad" / "lightningdit_p1" / "weights.safetensors");
    fs::create_directories(root() / "empty");
  }

  void printsALineACaseAndATotal() {
    const auto answer = call({"verify", at("good")});
    QVERIFY2(answer.code == 0, qPrintable(answer.out + answer.err));
    const auto lines = answer.out.trimmed().split('\n');
    QCOMPARE(lines.size(), 3);
    QVERIFY2(lines[0].startsWith("PASS") && lines[0].contains("lightningdit_p1") && lines[0].contains("rel ") &&
                 lines[0].contains("abs "),
             qPrintable(lines[0]));
    QVERIFY2(lines[1].startsWith("PASS") && lines[1].contains("lr_schedules"), qPrintable(lines[1]));
    QVERIFY2(lines[2].contains("2 cases: 2 passed, 0 failed"), qPrintable(lines[2]));
  }

  void aKindItDoesNotKnowFailsUnlessSkipped() {
    const auto strict = call({"verify", at("mixed")});
    QCOMPARE(strict.code, 1);
    QVERIFY2(strict.out.contains("UNKNOWN from_the_future"), qPrintable(strict.out));
    QCOMPARE(call({"verify", at("mixed"), "--skip-unknown"}).code, 0);
  }

  void aBrokenCaseIsOneLineAndExitsWithOne() {
    const auto answer = call({"verify", at("bad")});
    QCOMPARE(answer.code, 1);
    const auto lines = answer.out.trimmed().split('\n');
    QCOMPARE(lines.size(), 3);
    QVERIFY2(lines[0].startsWith("FAIL") && lines[0].contains("weights.safetensors is missing"), qPrintable(lines[0]));
    QVERIFY2(lines[1].startsWith("PASS"), qPrintable(lines[1]));
  }

  void jsonIsAllThatIsOnStdout() {
    const auto answer = call({"verify", at("bad"), "--json"});
    QCOMPARE(answer.code, 1);
    const auto root_object = nlohmann::json::parse(answer.out.toStdString(), nullptr, false);
    QVERIFY(root_object.is_object());
    QCOMPARE(root_object["total"]["pass"].get<int>(), 1);
    QCOMPARE(root_object["total"]["fail"].get<int>(), 1);
    QCOMPARE(root_object["cases"][0]["status"].get<std::string>(), std::string("FAIL"));
    QVERIFY(root_object["cases"][0]["error"].get<std::string>().find("weights.safetensors") != std::string::npos);
    QVERIFY(root_object["cases"][1]["max_rel_error"].is_number() &&
            root_object["cases"][1]["max_abs_error_in"].is_string());
  }

  void badUsageExitsWithTwo_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::addColumn<QString>("in_message");
    QTest::newRow("no folder") << QStringList{"verify"} << "DIR";
    QTest::newRow("folder that is none") << QStringList{"verify", at("nowhere")} << "not a folder";
    QTest::newRow("unknown dtype") << QStringList{"verify", at("good"), "--dtype", "fp8"} << "fp8";
    QTest::newRow("unknown device") << QStringList{"verify", at("good"), "--device", "tpu"} << "tpu";
  }
  void badUsageExitsWithTwo() {
    QFETCH(QStringList, arguments);
    QFETCH(QString, in_message);
    const auto answer = call(arguments);
    QVERIFY2(answer.code == 2 && answer.err.contains(in_message) && answer.out.isEmpty(), qPrintable(answer.err));
  }

  void aFolderWithoutCasesProvesNothing() {
    const auto answer = call({"verify", at("empty")});
    QVERIFY2(answer.code == 1 && answer.err.contains("holds no case"), qPrintable(answer.err));
  }

  void cudaWithoutAGpuIsOneClearSentence() {
    if (QFile::exists("/dev/nvidiactl")) QSKIP("there is a GPU");
    const auto answer = call({"verify", at("good"), "--device", "cuda"});
    QVERIFY2(answer.code == 1 && answer.err.contains("no GPU"), qPrintable(answer.err));
    QCOMPARE(answer.err.trimmed().count('\n'), 0);
    QVERIFY(answer.out.isEmpty());
  }

  void dtypesAreColumnsOfTheirOwn() {
    QCOMPARE(call({"verify", at("good"), "--dtype", "bf16,tf32"}).code, 0);
    const auto answer = call({"verify", at("good"), "--dtype", "fp64"});
    QVERIFY2(answer.code == 0 && answer.out.contains("SKIP"), qPrintable(answer.out));
  }

 private:
  fs::path root() const { return folder_.path().toStdString(); }
  QString at(const char* name) const { return folder_.path() + "/" + name; }
  QTemporaryDir folder_;
};
STUDIO_TEST(TestVerifyCli)
#include "tst_verify_cli.moc"
