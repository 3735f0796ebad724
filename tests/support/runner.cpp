// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <filesystem>
#include <map>
#include <vector>

#include "tests/support/studio_test.h"
#ifdef STUDIO_TEST_WIDGETS
#include <QApplication>
#include <QTemporaryDir>
using Application = QApplication;
#else
#include <QCoreApplication>
using Application = QCoreApplication;
#endif

namespace meanflow::testing {
namespace {
std::map<std::string, TestFactory>& registry() {
  static std::map<std::string, TestFactory> tests;  // filled by static initialisers, hence a function-local static
  return tests;
}
}  // namespace

bool registerTest(const char* file, TestFactory factory) {
  std::string stem = std::filesystem::path(file).stem().string();
  if (stem.rfind("tst_", 0) == 0) stem = stem.substr(4);
  return registry().emplace(stem, std::move(factory)).second;
}

std::string testsFolder() { return STUDIO_TESTS_FOLDER; }
}  // namespace meanflow::testing

// Usage: tests_LAYER [CLASS [Qt Test arguments...]]; without a class every class runs.
int main(int argc, char** argv) {
#ifdef STUDIO_TEST_WIDGETS
  // Drafts, queues and runs of the person who runs the tests are none of theirs.
  const QTemporaryDir home;
  for (const char* name : {"XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"}) qputenv(name, home.path().toUtf8());
#endif
  Application app(argc, argv);
  const auto& tests = meanflow::testing::registry();
  std::vector<char*> qt_args = {argv[0]};
  for (int i = 2; i < argc; ++i) qt_args.push_back(argv[i]);
  if (tests.empty()) return std::fprintf(stderr, "no test class is registered\n"), 1;
  if (argc > 1 && !tests.contains(argv[1])) return std::fprintf(stderr, "no test class named %s\n", argv[1]), 1;
  int num_failed = 0;
  for (const auto& [name, make] : tests) {
    if (argc > 1 && name != argv[1]) continue;
    const auto test = make();
    num_failed += QTest::qExec(test.get(), static_cast<int>(qt_args.size()), qt_args.data());
  }
  return num_failed == 0 ? 0 : 1;
}
