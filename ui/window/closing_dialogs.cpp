// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/closing_dialogs.h"

#include <QCoreApplication>
#include <QMessageBox>
#include <QProgressDialog>
#include <QPushButton>

namespace meanflow::ui {
namespace {
const QString kAskClose = QStringLiteral("ask_close"), kClosing = QStringLiteral("closing");
QString closingText(const char* text) { return QCoreApplication::translate("MainWindow", text); }
}  // namespace

void askToStop(QWidget* window, const std::function<void()>& stop) {
  if (window->findChild<QMessageBox*>(kAskClose) || window->findChild<QProgressDialog*>(kClosing)) return;
  auto* ask = new QMessageBox(
      QMessageBox::Question, closingText("Stop the run?"),
      closingText("The run on show is being trained in this window. It is stopped and saved before the window closes, "
                  "and can be continued later."),
      QMessageBox::NoButton, window);
  ask->setObjectName(kAskClose);
  ask->setAttribute(Qt::WA_DeleteOnClose);
  auto* yes = ask->addButton(closingText("Stop, save and close"), QMessageBox::AcceptRole);
  ask->addButton(closingText("Go on training"), QMessageBox::RejectRole);
  ask->setDefaultButton(yes);
  QObject::connect(ask, &QMessageBox::buttonClicked, window, [yes, stop](QAbstractButton* button) {
    if (button == yes) stop();
  });
  ask->open();  // never exec(): events of the run go on being shown
}

QProgressDialog* showStopping(QWidget* window, const std::function<void()>& discard) {
  auto* wait = new QProgressDialog(closingText("Stopping the run and writing a checkpoint…"),
                                   closingText("Close without saving"), 0, 0, window);
  wait->setObjectName(kClosing);
  wait->setWindowTitle(closingText("Closing"));
  wait->setWindowModality(Qt::WindowModal);
  wait->setMinimumDuration(0);
  wait->setAutoClose(false);
  wait->setAutoReset(false);
  wait->show();
  QObject::connect(wait, &QProgressDialog::canceled, window, [wait, discard] {
    discard();
    wait->setLabelText(closingText("Ending the run…"));
    wait->show();
  });
  return wait;
}

}  // namespace meanflow::ui
