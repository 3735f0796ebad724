// SPDX-License-Identifier: GPL-3.0-or-later
//
// QCustomPlot's header is written with Qt's keywords, which this project switches off: they are lent to it and taken
// back. Include this instead of <qcustomplot.h>, in sources only.
#pragma once
#define signals Q_SIGNALS
#define slots Q_SLOTS
#define emit Q_EMIT
#define foreach Q_FOREACH
#include <qcustomplot.h>
#undef signals
#undef slots
#undef emit
#undef foreach
