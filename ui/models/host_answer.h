// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace meanflow::ui {

/// Brings answers of the training library, which come on its threads, to the window's thread, as long as whoever asked
/// is there. A member of the asker, before anything the answers touch.
class HostAnswers final {
 public:
  explicit HostAnswers(QObject* asker) : desk_(std::make_shared<Desk>()) { desk_->asker = asker; }
  ~HostAnswers() {
    const std::lock_guard lock(desk_->mutex);
    desk_->asker = nullptr;
  }
  HostAnswers(const HostAnswers&) = delete;
  HostAnswers& operator=(const HostAnswers&) = delete;

  /// A callback for the library; `take` runs on the asker's thread.
  template <class Answer, class Take>
  std::function<void(const Answer&)> to(Take take) const {
    return [desk = desk_, take = std::move(take)](const Answer& answer) {
      const std::lock_guard lock(desk->mutex);
      if (!desk->asker) return;
      // The asker cannot go while the lock is held; a queued call is dropped when it goes later.
      QMetaObject::invokeMethod(
          desk->asker, [take, answer] { take(answer); }, Qt::QueuedConnection);
    };
  }

 private:
  struct Desk {
    std::mutex mutex;
    QObject* asker = nullptr;
  };
  std::shared_ptr<Desk> desk_;
};

}  // namespace meanflow::ui
