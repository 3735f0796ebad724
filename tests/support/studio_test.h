// SPDX-License-Identifier: Apache-2.0
//
// One executable a layer runs many Qt Test classes: `STUDIO_TEST(TestFoo)` at the end of tst_foo.cpp registers the
// class under its file's stem, and `tests_core foo` runs it.
#pragma once
#include <QObject>
#include <QTest>
#include <functional>
#include <memory>
#include <string>

namespace meanflow::testing {

using TestFactory = std::function<std::unique_ptr<QObject>()>;

/// Registers a class under the stem of `file` without the leading "tst_". Called before main().
bool registerTest(const char* file, TestFactory factory);

/// Folder of the source tree's tests/ (golden files, recorded runs).
std::string testsFolder();

}  // namespace meanflow::testing

#define STUDIO_TEST(Class)               \
  static const bool kRegistered##Class = \
      ::meanflow::testing::registerTest(__FILE__, [] { return std::unique_ptr<QObject>(std::make_unique<Class>()); });
