// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QByteArray>
#include <QObject>
#include <QString>
#include <QThreadPool>
#include <utility>

namespace meanflow::ui {

/// $XDG_STATE_HOME/meanflow-studio (with ~/.local/state as the fallback): drafts, the queue, notes of runs that may not
/// be written to. Not made by asking for it.
QString stateFolder();

/// Threads for reading and writing files. Jobs of one object run one after the other, in the order they were given, and
/// are waited for when it goes; what they hand back reaches the window's thread by a queued call.
class Background final {
 public:
  Background() { pool_.setMaxThreadCount(1); }
  ~Background() { pool_.waitForDone(); }

  /// `work` on the other thread, then `done(result)` on the thread of `context`, which must own this object.
  template <class Work, class Done>
  void run(QObject* context, Work work, Done done) {
    pool_.start([context, work = std::move(work), done = std::move(done)]() mutable {
      QMetaObject::invokeMethod(
          context, [result = work(), done = std::move(done)]() mutable { done(std::move(result)); },
          Qt::QueuedConnection);
    });
  }
  /// Writes a file beside its target and renames it; `failed` gets a sentence when that does not work.
  template <class Failed>
  void write(QObject* context, const QString& path, const QByteArray& content, Failed failed) {
    run(
        context, [path, content] { return writeFile(path, content); },
        [failed = std::move(failed)](const QString& problem) {
          if (!problem.isEmpty()) failed(problem);
        });
  }
  void wait() { pool_.waitForDone(); }

 private:
  static QString writeFile(const QString& path, const QByteArray& content);
  QThreadPool pool_;
};

}  // namespace meanflow::ui
