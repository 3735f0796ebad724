// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QTimer>

namespace meanflow::ui {

/// Whether a person is at the window: a key, a button, the wheel or the pointer moved within the last seconds. What is
/// drawn for a person who is not there takes time from training.
class Attention final : public QObject {
  Q_OBJECT
 public:
  static constexpr int kIdleMs = 10'000;

  explicit Attention(QObject* parent = nullptr, int idle_ms = kIdleMs);

  bool isThere() const { return is_there_; }

 Q_SIGNALS:
  void changed(bool is_there);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  QTimer idle_;
  bool is_there_ = true;
};

}  // namespace meanflow::ui
